package mysql

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"os"
	"testing"
)

// encodeLoginFile is the inverse of decodeLoginFile, line by line as
// mysql_config_editor writes them.
func encodeLoginFile(text string) []byte {
	raw := []byte("12345678901234567890")
	out := append(make([]byte, 4), raw...)
	var key [16]byte
	for i, b := range raw {
		key[i%16] ^= b
	}
	block, _ := aes.NewCipher(key[:])
	for _, line := range bytes.SplitAfter([]byte(text), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		pad := 16 - len(line)%16
		line = append(line, bytes.Repeat([]byte{byte(pad)}, pad)...)
		for i := 0; i < len(line); i += 16 {
			block.Encrypt(line[i:], line[i:])
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(len(line)))
		out = append(out, line...)
	}
	return out
}

func loginFile(t *testing.T, text string) string {
	t.Helper()
	return writeFile(t, "mylogin.cnf", string(encodeLoginFile(text)))
}

func TestLoginPath(t *testing.T) {
	path := loginFile(t, "[client]\nuser = all\nhost = h\n[shop]\nuser = \"app\"\npassword = \"a # \\\\ \\\"b'c\"\nport = 3307\n[other]\nuser = x\n")
	t.Setenv("MYSQL_TEST_LOGIN_FILE", path)
	s, _, err := readLoginPath("shop")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"user": "app", "password": `a # \ "b'c`, "host": "h", "port": "3307"} {
		if s[name] != want {
			t.Errorf("%s: got %q, want %q", name, s[name], want)
		}
	}
	_, _, err = readLoginPath("nobody")
	wantError(t, err, "no login path nobody", "mysql_config_editor")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, _, err = readLoginPath("shop")
	wantError(t, err, "open to other users", "chmod 600")
	t.Setenv("MYSQL_TEST_LOGIN_FILE", "/nowhere")
	_, _, err = readLoginPath("shop")
	wantError(t, err, "/nowhere", "mysql_config_editor")
	t.Setenv("MYSQL_TEST_LOGIN_FILE", writeFile(t, "bad.cnf", "this is no login file, whatever its name"))
	_, _, err = readLoginPath("shop")
	wantError(t, err, "a length that cannot be", "mysql_config_editor")
}

func FuzzLoginFile(f *testing.F) {
	f.Add(encodeLoginFile("[client]\nuser = app\npassword = \"x\"\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := decodeLoginFile(data)
		if err == nil && len(text) > len(data) {
			t.Errorf("%d bytes of %d", len(text), len(data))
		}
	})
}
