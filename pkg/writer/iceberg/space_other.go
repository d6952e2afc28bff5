//go:build !unix

package iceberg

func freeSpace(string) int64 { return -1 }
