package sanitise

import (
	"encoding/binary"
	"errors"
	"slices"
)

// maxICC bounds a colour profile. Real ones have from 500 bytes to 2 MiB.
const maxICC = 4 << 20

// renderingTags are the tags of a profile that a colour engine computes with
// (ICC.1:2022, 9.2). All others name makers, devices and people.
var renderingTags = []string{
	"rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC", "kTRC", "wtpt", "bkpt", "chad", "A2B0", "A2B1", "A2B2", "B2A0", "B2A1", "B2A2", "cicp",
}

var errICC = errors.New("the colour profile is malformed")

// reduceICC gives a valid, smaller profile that renders the same and says
// nothing of where it came from: rendering tags only, and a header without
// creator, device, date and identifier.
func reduceICC(p []byte) ([]byte, error) {
	be := binary.BigEndian
	if len(p) < 132 || len(p) > maxICC || string(p[36:40]) != "acsp" || int64(be.Uint32(p)) > int64(len(p)) {
		return nil, errICC
	}
	n := be.Uint32(p[128:])
	if n > 100 || 132+int(n)*12 > len(p) {
		return nil, errICC
	}
	type tag struct {
		sig  string
		data []byte
	}
	var tags []tag
	total := int64(0)
	for i := range int(n) {
		e := p[132+i*12:]
		sig, off, size := string(e[:4]), int64(be.Uint32(e[4:])), int64(be.Uint32(e[8:]))
		if !slices.Contains(renderingTags, sig) {
			continue
		}
		// Tags may share their data, but not so that little becomes much.
		if total += size; size < 8 || off < 128 || off+size > int64(len(p)) || total > 4*int64(len(p)) {
			return nil, errICC
		}
		data, err := reduceTag(p[off : off+size])
		if err != nil {
			return nil, err
		}
		tags = append(tags, tag{sig, data})
	}
	if len(tags) == 0 {
		return nil, errICC
	}
	out := make([]byte, 132+12*len(tags))
	copy(out[8:24], p[8:24])   // version, class, colour spaces
	copy(out[36:40], "acsp")   //
	copy(out[64:80], p[64:80]) // rendering intent and illuminant
	out[10], out[11] = 0, 0    // bytes of the version that are reserved
	be.PutUint32(out[128:], uint32(len(tags)))
	at := map[string]int{} // tags with the same data share it, as for grey curves
	for i, t := range tags {
		off, shared := at[string(t.data)]
		if !shared {
			off = len(out)
			at[string(t.data)] = off
			out = append(out, t.data...)
			out = append(out, make([]byte, -len(out)&3)...)
		}
		e := out[132+i*12:]
		copy(e, t.sig)
		be.PutUint32(e[4:], uint32(off))
		be.PutUint32(e[8:], uint32(len(t.data)))
	}
	be.PutUint32(out, uint32(len(out)))
	return out, nil
}

// reduceTag cuts a tag's data to what its type says, and clears reserved bytes.
func reduceTag(d []byte) ([]byte, error) {
	be := binary.BigEndian
	var want int
	switch string(d[:4]) {
	case "XYZ ":
		want = 20
	case "sf32":
		want = 8 + 9*4
	case "cicp":
		want = 12
	case "curv":
		if len(d) < 12 {
			return nil, errICC
		}
		want = 12 + 2*int(min(be.Uint32(d[8:]), 1<<20))
	case "para":
		if len(d) < 12 || paraParams(d) < 0 {
			return nil, errICC
		}
		want = 12 + 4*paraParams(d)
	case "mft1", "mft2", "mAB ", "mBA ":
		var err error
		if d, err = reduceLUT(d); err != nil {
			return nil, err
		}
		want = len(d)
	default:
		return nil, errICC
	}
	if want > len(d) {
		return nil, errICC
	}
	out := slices.Clone(d[:want])
	clear(out[4:8])
	if string(out[:4]) == "para" {
		clear(out[10:12])
	}
	return out, nil
}
