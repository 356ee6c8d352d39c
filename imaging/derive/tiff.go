package derive

import "encoding/binary"

// tiffFacts reads the orientation and the colour profile from a TIFF's first
// directory.
func tiffFacts(b []byte) facts {
	f := facts{orientation: orientation(b)}
	var order binary.ByteOrder = binary.BigEndian
	if len(b) < 8 {
		return f
	}
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	const entry, iccProfile, grey = 12, 34675, 1
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return f
	}
	dir := b[at+2:]
	for n := int(order.Uint16(b[at:])); n > 0 && len(dir) >= entry; n-- {
		count, off := int64(order.Uint32(dir[4:])), int64(order.Uint32(dir[8:]))
		switch order.Uint16(dir) {
		case 262: // PhotometricInterpretation
			f.gray = order.Uint16(dir[8:]) <= grey
		case iccProfile:
			if count <= maxProfile && off+count <= int64(len(b)) {
				f.profile = b[off : off+count]
			}
		}
		dir = dir[entry:]
	}
	return f
}
