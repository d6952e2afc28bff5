// Package substrait stands for the module of this name, whose definitions of functions
// iceberg-go parses when a program starts. They are for filters of its own reader, which
// Tablehaul does not use; ../../go.work says more.
package substrait

import "embed"

//go:embed extensions
var none embed.FS

// GetSubstraitExtensionsFS returns the definitions in the folder extensions, of nothing.
func GetSubstraitExtensionsFS() embed.FS { return none }
