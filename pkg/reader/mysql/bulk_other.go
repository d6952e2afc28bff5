//go:build !unix

package mysql

import (
	"errors"
	"net"
)

// setLowWater is not known here; reading works without.
func setLowWater(*net.TCPConn, int) error { return errors.ErrUnsupported }
