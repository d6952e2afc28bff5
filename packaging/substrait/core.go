// Package substrait stands for the module of this name, whose definitions of functions
// iceberg-go parses when a program starts. They are for filters of its own reader and of its
// deletes, neither of which Tablehaul uses: there is the one alone that tests need.
// ../../go.work says more.
package substrait

import "embed"

//go:embed extensions
var definitions embed.FS

// GetSubstraitExtensionsFS returns the definitions, in files of a folder named extensions.
func GetSubstraitExtensionsFS() embed.FS { return definitions }
