//go:build !linux

package memory

// obtain and release leave blocks to Go's heap where the system's means are
// not known.
func obtain() *block { return new(block) }

func release(*block) {}
