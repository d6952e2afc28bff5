//go:build !unix

package iceberg

import (
	"errors"
	"os"
)

// Without flock there is no telling who is dead, so nothing is discarded.

func lockFile(*os.File) error { return nil }

func tryLock(*os.File) error { return errors.ErrUnsupported }
