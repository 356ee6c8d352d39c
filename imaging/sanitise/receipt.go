package sanitise

import (
	"github.com/wardseal/wardseal/imaging/exif"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
)

// account gathers what a receipt says, in the order in which it was found.
type account struct {
	receipt media.Receipt
	index   map[words.Text]int
}

func newAccount() *account { return &account{index: map[words.Text]int{}} }

// removed counts one more thing of a kind; bytes may be 0 when they are
// counted with another kind.
func (a *account) removed(kind words.Text, bytes int64) {
	i, ok := a.index[kind]
	if !ok {
		i = len(a.receipt.Removed)
		a.index[kind] = i
		a.receipt.Removed = append(a.receipt.Removed, media.Trace{Kind: kind})
	}
	a.receipt.Removed[i].Count++
	a.receipt.Removed[i].Bytes += bytes
}

func (a *account) kept(kind, why words.Text) {
	a.receipt.Kept = append(a.receipt.Kept, media.Trace{Kind: kind, Count: 1, Why: why})
}

// exif accounts for an EXIF block and gives the orientation in it, 1 when
// there is none.
func (a *account) exif(block []byte, bytes int64) int {
	f, err := exif.Read(block)
	a.removed("EXIF block", bytes)
	for _, k := range f.Kinds {
		a.removed(k, 0)
	}
	if err != nil {
		a.removed("EXIF damaged", 0)
	}
	if !f.CapturedAt.IsZero() && a.receipt.CapturedAt == nil {
		a.receipt.CapturedAt = &f.CapturedAt
		if !f.Zoned {
			a.receipt.CapturedZone = "unknown"
		}
	}
	return max(f.Orientation, 1)
}

// orientationOnly is the smallest EXIF block that says an orientation: one
// directory with one entry (TIFF 6.0, big endian).
func orientationOnly(o int) []byte {
	return []byte{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, byte(o), 0, 0, 0, 0, 0, 0}
}
