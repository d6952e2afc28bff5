package mysql

import (
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// readLoginPath reads the groups [client] and [name] of the login file, which
// mysql_config_editor writes. It returns the file's path too.
func readLoginPath(name string) (settings, string, error) {
	path := os.Getenv("MYSQL_TEST_LOGIN_FILE")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, "", fmt.Errorf("find the login file: %w", err)
		}
		path = filepath.Join(home, ".mylogin.cnf")
	}
	const remedy = "mysql_config_editor set --login-path=%s --host=… --user=… --password makes it"
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, path, hint.Wrap(fmt.Errorf("read login path %s: %w", name, err), remedy, name)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, path, fmt.Errorf("read login path %s: %w", name, err)
	}
	// mysql passes over such a file, with a warning.
	if info.Mode().IsRegular() && info.Mode()&0o077 != 0 {
		return nil, path, hint.Wrap(fmt.Errorf("login file %s is open to other users", path), "chmod 600 %s", path)
	}
	text, err := decodeLoginFile(data)
	if err != nil {
		return nil, path, hint.Wrap(fmt.Errorf("login file %s: %w", path, err), remedy, name)
	}
	has := optionParser{groups: []string{name}, found: settings{}}
	if err := has.text(text, path, maxInclude); err != nil {
		return nil, path, err
	}
	if len(has.found) == 0 {
		return nil, path, hint.Wrap(fmt.Errorf("login file %s has no login path %s", path, name), remedy, name)
	}
	p := optionParser{groups: []string{"client", name}, found: settings{}}
	return p.found, path, p.text(text, path, maxInclude)
}

// decodeLoginFile makes an option file's text of a login file: four bytes of no
// meaning, 20 that make the key, and then the lines, each with its length before it
// (four bytes, the lowest first), in AES-128-ECB with PKCS #7 padding. The key lies
// beside the lock, so this hides the password from a glance only. Source:
// client/mysql_config_editor.cc, mysys/my_default.cc.
func decodeLoginFile(data []byte) (string, error) {
	const unused, keyLen, lenLen = 4, 20, 4
	if len(data) < unused+keyLen {
		return "", errors.New("it is too short")
	}
	var key [aes.BlockSize]byte
	for i, b := range data[unused : unused+keyLen] {
		key[i%len(key)] ^= b
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return "", err
	}
	var text []byte
	for data = data[unused+keyLen:]; len(data) > 0; {
		if len(data) < lenLen {
			return "", errors.New("it ends in the middle of a line")
		}
		n := binary.LittleEndian.Uint32(data)
		data = data[lenLen:]
		if n == 0 || n%aes.BlockSize != 0 || uint64(n) > uint64(len(data)) {
			return "", errors.New("a line has a length that cannot be")
		}
		line := make([]byte, n)
		for i := 0; i < len(line); i += aes.BlockSize {
			block.Decrypt(line[i:], data[i:])
		}
		pad := int(line[n-1])
		if pad == 0 || pad > aes.BlockSize {
			return "", errors.New("a line cannot be decrypted")
		}
		text = append(text, line[:len(line)-pad]...)
		data = data[n:]
	}
	return string(text), nil
}
