package verify

import (
	"encoding/binary"
	"strings"
)

// profile checks a colour profile (ICC.1:2022): a header that names nobody, and
// rendering tags that account for every byte.
func profile(p []byte) error {
	bad := func(where string) error { return &Finding{"colour profile: " + where, 0} }
	u32 := binary.BigEndian.Uint32
	if len(p) < 132 || int(u32(p)) != len(p) || string(p[36:40]) != "acsp" {
		return bad("its header")
	}
	for _, r := range [][2]int{{4, 8}, {10, 12}, {24, 36}, {40, 64}, {80, 128}} { // engine, date, platform, device, creator, identifier
		if strings.Trim(string(p[r[0]:r[1]]), "\x00") != "" {
			return bad("its header names its origin")
		}
	}
	n := int(u32(p[128:]))
	at := 132 + 12*n
	if n < 1 || n > 100 || at > len(p) {
		return bad("its table")
	}
	sizes := map[int]int{}
	for i := range n {
		e := p[132+12*i:]
		const allowed = " rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt chad A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 cicp "
		if !strings.Contains(allowed, " "+string(e[:4])+" ") {
			return bad("a tag that rendering does not need")
		}
		off, size := int(u32(e[4:])), int(u32(e[8:]))
		if was, shared := sizes[off]; shared && was == size {
			continue
		}
		if off != at || size < 8 || size > len(p)-off { // each new tag follows the last
			return bad("a tag out of place")
		}
		sizes[off] = size
		if err := profileTag(p[off : off+size]); err != nil {
			return err
		}
		at = off + size
		for ; at%4 != 0; at++ {
			if at >= len(p) || p[at] != 0 {
				return bad("padding that is not zero")
			}
		}
	}
	if at != len(p) {
		return bad("bytes that no tag accounts for")
	}
	return nil
}

func profileTag(d []byte) error {
	ok := u32zero(d[4:8])
	switch string(d[:4]) {
	case "XYZ ":
		ok = ok && len(d) == 20
	case "sf32":
		ok = ok && len(d) == 44
	case "cicp":
		ok = ok && len(d) == 12
	case "curv":
		ok = ok && len(d) >= 12 && uint64(len(d)) == 12+2*uint64(binary.BigEndian.Uint32(d[8:]))
	case "para":
		sizes := map[uint16]int{0: 16, 1: 24, 2: 28, 3: 32, 4: 40}
		ok = ok && len(d) >= 12 && sizes[binary.BigEndian.Uint16(d[8:])] == len(d)
	case "mft1", "mft2", "mAB ", "mBA ":
	default:
		ok = false
	}
	return found(!ok, "colour profile: a tag of an unexpected form", 0)
}

func u32zero(b []byte) bool { return binary.BigEndian.Uint32(b) == 0 }
