package memory_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/wardseal/wardseal/crypto/memory"
)

// What stands in a pool's memory is in no core dump.
func TestMemoryIsNotDumped(t *testing.T) {
	var pool memory.Pool
	b := pool.New()
	defer b.Free()
	b.Grow()
	var at uintptr
	_, _ = b.Fill(readerFunc(func(p []byte) (int, error) { at = uintptr(unsafe.Pointer(&p[0])); return 0, nil }))
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	within := false
	for line := range bytes.Lines(maps) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(string(line), "%x-%x", &from, &to); n == 2 {
			within = from <= at && at < to
		}
		if within && bytes.HasPrefix(line, []byte("VmFlags:")) {
			if !strings.Contains(string(line), " dd ") {
				t.Errorf("it would be dumped: %s", line)
			}
			return
		}
	}
	t.Fatal("its memory is not found")
}
