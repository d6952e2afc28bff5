//go:build unix

package iceberg

import "syscall"

// freeSpace returns how much an ordinary user may still put into the folder's file
// system, in bytes; -1 if that is not known.
func freeSpace(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize) //nolint:unconvert // their types differ between systems
}
