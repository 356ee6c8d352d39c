package audit

import (
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a hash of the audit tree (RFC 6962): SHA-256, told apart by a first
// byte for leaves and for nodes.
type Hash = tlog.Hash

// Leaf is the hash of an event's canonical body as a leaf of the tree.
func Leaf(body []byte) Hash { return tlog.RecordHash(body) }

// Edge is the right edge of a tree: as much as it takes to add leaves and to
// tell the root, whatever the size. The zero Edge is of the empty tree.
type Edge struct {
	size  int64
	peaks []Hash // of the whole subtrees, the largest first
}

// NewEdge makes the edge of a tree of size leaves from the hashes of its whole
// subtrees, in the order of Peaks.
func NewEdge(size int64, peaks []Hash) (*Edge, error) {
	if size < 0 || bits.OnesCount64(uint64(size)) != len(peaks) {
		return nil, errors.New("these are not the subtrees of a tree of this size")
	}
	return &Edge{size, append([]Hash(nil), peaks...)}, nil
}

// Peaks gives the stored places (see Row) of the whole subtrees of a tree, the
// largest first.
func Peaks(size int64) []int64 {
	var out []int64
	var left int64
	for level := 62; level >= 0; level-- {
		if size&(1<<level) != 0 {
			out = append(out, tlog.StoredHashIndex(level, left>>level))
			left += 1 << level
		}
	}
	return out
}

// Size is how many leaves there are.
func (e *Edge) Size() int64 { return e.size }

// Add appends a leaf and adds to row, which it returns, the hashes that became
// whole with it: the leaf itself and each subtree that it completes. Such a
// row is what is stored beside each event.
func (e *Edge) Add(leaf Hash, row []Hash) []Hash {
	row = append(row, leaf)
	h := leaf
	for n := e.size; n&1 == 1; n >>= 1 {
		last := len(e.peaks) - 1
		h = tlog.NodeHash(e.peaks[last], h)
		e.peaks = e.peaks[:last]
		row = append(row, h)
	}
	e.peaks = append(e.peaks, h)
	e.size++
	return row
}

// Root is the head of the tree. An empty tree has none.
func (e *Edge) Root() (Hash, bool) {
	if e.size == 0 {
		return Hash{}, false
	}
	h := e.peaks[len(e.peaks)-1]
	for i := len(e.peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.peaks[i], h)
	}
	return h, true
}

// Row tells where a hash is stored: with which event, and as which of the
// hashes beside it. place is as tlog.StoredHashIndex has it.
func Row(place int64) (seq int64, at int) {
	level, n := tlog.SplitStoredHashIndex(place)
	return (n + 1) << level, level
}

// ErrRow means that the stored tree lacks hashes that it should have.
var ErrRow = errors.New("the stored tree has not the hashes that it should")

// PutRow writes the hashes of a row one after another, and TakeRow reads one.
func PutRow(row []Hash) []byte {
	out := make([]byte, 0, len(row)*tlog.HashSize)
	for _, h := range row {
		out = append(out, h[:]...)
	}
	return out
}

// TakeRow gives one hash of a stored row.
func TakeRow(row []byte, at int) (h Hash, err error) {
	if at < 0 || len(row) < (at+1)*tlog.HashSize || len(row)%tlog.HashSize != 0 {
		return h, ErrRow
	}
	copy(h[:], row[at*tlog.HashSize:])
	return h, nil
}
