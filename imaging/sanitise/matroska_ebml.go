package sanitise

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The structure of EBML (RFC 8794) under a Matroska or WebM file: elements of
// an id, a size and a content, in variable-length numbers.

// element is one element of the file.
type element struct {
	id   uint32
	at   int64 // of its first byte
	body int64 // where its content starts
	n    int64 // of the content; -1 when the writer did not know it
}

func (e element) end() int64 { return e.body + e.n }

// head reads an element's id and size from b. The size is -1 when it is not
// known. ok is false when b is no element, or ends inside of its head.
func head(b []byte) (id uint32, n int64, used int, ok bool) {
	if len(b) == 0 || b[0] < 0x10 {
		return 0, 0, 0, false
	}
	used = bits.LeadingZeros8(b[0]) + 1
	if len(b) < used {
		return 0, 0, 0, false
	}
	for _, c := range b[:used] {
		id = id<<8 | uint32(c)
	}
	v, k, ok := vint(b[used:])
	if !ok {
		return 0, 0, 0, false
	}
	n = int64(v)
	if v == 1<<(7*k)-1 {
		n = -1
	}
	return id, n, used + k, true
}

// vint reads a number of one to eight bytes without its length marker.
func vint(b []byte) (v uint64, n int, ok bool) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0, false
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if len(b) < n {
		return 0, 0, false
	}
	v = uint64(b[0]) & (1<<(8-n) - 1)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, n, true
}

// node is one element inside a content in memory.
type node struct {
	id   uint32
	body []byte
}

// maxNodes bounds the elements inside one other that is read into memory.
const maxNodes = 4096

// nodes splits a content in memory into its elements. Void elements and
// checksums, which may stand anywhere, are left out.
func nodes(b []byte) ([]node, error) {
	var out []node
	for count := 0; len(b) > 0; count++ {
		id, n, used, ok := head(b)
		if !ok || n < 0 || n > int64(len(b)-used) || count > maxNodes {
			return nil, errVideoDamaged
		}
		if id != idVoid && id != idCRC {
			out = append(out, node{id, b[used : used+int(n)]})
		}
		b = b[used+int(n):]
	}
	return out, nil
}

// find gives the first element of an id, or nil.
func find(all []node, id uint32) []byte {
	for _, e := range all {
		if e.id == id {
			return e.body
		}
	}
	return nil
}

// number64 reads an unsigned number of up to eight bytes; one of no bytes is
// as one that is not there.
func number64(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	v := uint64(0)
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, true
}

// real reads a floating-point number, which must be finite.
func real(b []byte) (v float64, ok bool) {
	switch len(b) {
	case 4:
		v = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case 8:
		v = math.Float64frombits(binary.BigEndian.Uint64(b))
	default:
		return 0, false
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// master writes an element of given content.
func master(id uint32, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := appendHead(make([]byte, 0, 12+n), id, int64(n))
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func appendMaster(b []byte, id uint32, body []byte) []byte {
	return append(appendHead(b, id, int64(len(body))), body...)
}

// appendHead writes an id and a size in the fewest bytes.
func appendHead(b []byte, id uint32, n int64) []byte {
	return appendSize(appendID(b, id), n, sizeBytes(n))
}

// sizeBytes is how many bytes a size takes. All ones would mean that it is not known.
func sizeBytes(n int64) int {
	width := 1
	for n >= 1<<(7*width)-1 {
		width++
	}
	return width
}

func appendID(b []byte, id uint32) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if id>>shift != 0 {
			b = append(b, byte(id>>shift))
		}
	}
	return b
}

func appendSize(b []byte, n int64, width int) []byte {
	v := uint64(n) | 1<<(7*width)
	for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
		b = append(b, byte(v>>shift))
	}
	return b
}

// unsigned writes an element of a number in the fewest bytes.
func unsigned(id uint32, v uint64) []byte { return appendUnsigned(nil, id, v, numberBytes(v)) }

func numberBytes(v uint64) int { return max(1, (bits.Len64(v)+7)/8) }

// appendUnsigned writes an element of a number in width bytes.
func appendUnsigned(b []byte, id uint32, v uint64, width int) []byte {
	b = appendHead(b, id, int64(width))
	for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
		b = append(b, byte(v>>shift))
	}
	return b
}

func floating(id uint32, v float64) []byte {
	return master(id, binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
}
