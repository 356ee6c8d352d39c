// Package purego stands in for github.com/ebitengine/purego, which the HEIC
// and AVIF decoders use to load C libraries of the system when they find them.
// Here they must not: this binary decodes in WebAssembly only, links nothing
// at run time and stays static. A replace line in go.mod puts this package in
// the real one's place, so no build needs the tag that turns loading off.
package purego

import "errors"

// The flags that the decoders name; they mean nothing here.
const (
	RTLD_NOW    = 0
	RTLD_GLOBAL = 0
)

// Dlopen loads nothing, ever.
func Dlopen(string, int) (uintptr, error) {
	return 0, errors.New("no library is loaded by this program")
}

// RegisterLibFunc is never reached, because no library is ever loaded.
func RegisterLibFunc(any, uintptr, string) { panic("no library is loaded by this program") }
