//go:build unix

package iceberg

import (
	"os"
	"syscall"
)

// lockFile takes the lock of an open file, which ends when the file is closed or
// the process dies. It waits for it.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }

// tryLock fails if another holds the lock.
func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
