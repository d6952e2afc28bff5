package services

import (
	"errors"
	"os"
	"path/filepath"
)

// Cache is the folder where the scripts keep things, by the same rule.
func Cache() string {
	if dir := os.Getenv("TABLEHAUL_CACHE"); dir != "" {
		return dir
	}
	dir := os.Getenv("XDG_CACHE_HOME")
	if dir == "" {
		home := os.Getenv("HOME")
		if home == "" {
			home = "/var/tmp"
		}
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Join(dir, "tablehaul")
}

// Root is the folder of the repository that the program was started in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not in the repository: no go.mod in this folder or above it")
		}
		dir = filepath.Dir(dir)
	}
}
