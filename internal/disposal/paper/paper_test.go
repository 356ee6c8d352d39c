package paper

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/disposal"
)

// Certificates printed at once, by several people, are each what they would be
// alone. (The race detector sees when one writes where another reads.)
func TestCertificatesAtOnce(t *testing.T) {
	c := disposal.Certificate{Batch: "01a2237f-78a8-730c-95b1-4e1b1b48ab0a", Organisation: "Example Trust", FinishedAt: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	alone, err := Certificate(c, []byte("signed"))
	if err != nil || !bytes.HasPrefix(alone, []byte("%PDF-")) {
		t.Fatalf("%d bytes, %v", len(alone), err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if b, err := Certificate(c, []byte("signed")); err != nil || !bytes.Equal(b, alone) {
				t.Errorf("%d bytes, %v: another document", len(b), err)
			}
		})
	}
	wg.Wait()
}
