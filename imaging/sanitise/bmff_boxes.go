package sanitise

import (
	"bytes"
	"encoding/binary"
)

var be = binary.BigEndian

// child is one box inside a body in memory.
type child struct {
	typ  string
	body []byte
}

// children splits a body into its boxes; a terminator of four zero bytes, which
// QuickTime writes, is passed over.
func children(b []byte) ([]child, error) {
	var out []child
	for len(b) > 0 {
		if len(b) < 8 {
			if len(bytes.Trim(b, "\x00")) == 0 {
				break
			}
			return nil, errVideoDamaged
		}
		n := uint64(be.Uint32(b))
		head := uint64(8)
		if n == 1 && len(b) >= 16 {
			n, head = be.Uint64(b[8:]), 16
		} else if n == 0 && len(bytes.Trim(b[:8], "\x00")) == 0 {
			break
		}
		if n < head || n > uint64(len(b)) || len(out) > 4096 {
			return nil, errVideoDamaged
		}
		out = append(out, child{string(b[4:8]), b[head:n]})
		b = b[n:]
	}
	return out, nil
}

func one(boxes []child, typ string) []byte {
	for _, c := range boxes {
		if c.typ == typ {
			return c.body
		}
	}
	return nil
}

func mdatHeader(n int64) []byte {
	if n+8 <= 1<<32-1 {
		return append(binary.BigEndian.AppendUint32(nil, uint32(n+8)), "mdat"...)
	}
	b := append(binary.BigEndian.AppendUint32(nil, 1), "mdat"...)
	return binary.BigEndian.AppendUint64(b, uint64(n+16))
}

func box(typ string, parts ...[]byte) []byte {
	n := 8
	for _, p := range parts {
		n += len(p)
	}
	b := append(binary.BigEndian.AppendUint32(make([]byte, 0, n), uint32(n)), typ...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
