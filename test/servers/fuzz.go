package servers

import (
	"flag"
	"testing"
)

// Seed adds what make gives to the inputs that a fuzz target begins with. The
// Go fuzzer runs targets in processes of their own that get every input from the
// first one, and its time runs while they start: what tools take seconds to make
// is made there only.
func Seed(f *testing.F, make func() [][]byte) {
	if worker := flag.Lookup("test.fuzzworker"); worker != nil && worker.Value.String() == "true" {
		return
	}
	for _, b := range make() {
		f.Add(b)
	}
}
