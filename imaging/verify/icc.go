package verify

import (
	"encoding/binary"
	"slices"
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
		ok = ok && len(d) >= 12 && sizes[binary.BigEndian.Uint16(d[8:])] == len(d) && d[10]|d[11] == 0
	case "mft1", "mft2":
		ok = ok && oldTable(d)
	case "mAB ", "mBA ":
		ok = ok && newTable(d)
	default:
		ok = false
	}
	return found(!ok, "colour profile: a tag of an unexpected form", 0)
}

func u32zero(b []byte) bool { return binary.BigEndian.Uint32(b) == 0 }

// oldTable checks the length of a table as version 2 has it.
func oldTable(d []byte) bool {
	size, each, ends := int64(48), int64(1), []int64{256, 256}
	if string(d[:4]) == "mft2" {
		if len(d) < 52 {
			return false
		}
		size, each = 52, 2
		ends = []int64{int64(binary.BigEndian.Uint16(d[48:])), int64(binary.BigEndian.Uint16(d[50:]))}
	}
	if len(d) < 48 || d[11] != 0 {
		return false
	}
	in, out := int64(d[8]), int64(d[9])
	return size+each*(in*ends[0]+out*ends[1]+product(d[8], d[10], out)) == int64(len(d))
}

// product is how many numbers a grid of so many sides, all of a length, has;
// past what a profile can hold it is only large.
func product(sides, length byte, numbers int64) int64 {
	for ; sides > 0 && numbers < 1<<30; sides-- {
		numbers *= int64(length)
	}
	return numbers
}

// newTable takes away the parts of a table that are computed with, and checks
// that the rest is zero.
func newTable(d []byte) bool {
	if len(d) < 32 {
		return false
	}
	rest, end, ok := slices.Clone(d), 0, true
	used := func(at, n int64) {
		if at < 0 || n < 0 || at+n > int64(len(d)) {
			ok = false
			return
		}
		clear(rest[at : at+n])
		end = max(end, int(at+n))
	}
	used(0, 10)
	used(12, 20)
	in, out := int64(d[8]), int64(d[9])
	sides := [2]int64{out, in}
	if d[1] == 'B' {
		sides = [2]int64{in, out}
	}
	for i, count := range []int64{sides[0], -1, sides[0], -2, sides[1]} {
		at := int64(binary.BigEndian.Uint32(d[12+4*i:]))
		switch {
		case at == 0:
		case count == -1:
			used(at, 48)
		case count == -2:
			used(at, min(in, 16))
			used(at+16, 1)
			if !ok || in > 16 {
				return false
			}
			numbers := out * int64(d[at+16])
			for _, length := range d[at : at+in] {
				numbers = product(1, length, numbers)
			}
			used(at+20, numbers)
		default:
			for ; count > 0 && ok; count-- {
				at += curve(d, at, used) + 3
				at -= at % 4
			}
		}
	}
	return ok && zero(rest) && len(d)-end < 4
}

// curve notes the used bytes of one curve, and gives its length.
func curve(d []byte, at int64, used func(at, n int64)) int64 {
	if at+12 > int64(len(d)) {
		used(at, -1)
		return 0
	}
	used(at, 4)
	switch b := d[at:]; string(b[:4]) {
	case "curv":
		n := 4 + 2*int64(binary.BigEndian.Uint32(b[8:]))
		used(at+8, n)
		return 8 + n
	case "para":
		n, known := map[uint16]int64{0: 4, 1: 12, 2: 16, 3: 20, 4: 28}[binary.BigEndian.Uint16(b[8:])]
		if known {
			used(at+8, 2)
			used(at+12, n)
			return 12 + n
		}
	}
	used(at, -1)
	return 0
}
