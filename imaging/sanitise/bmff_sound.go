package sanitise

import "slices"

// QuickTime counts the moments of sound, not its packets, and says 1 for the
// size of each, whatever it is: how many bytes a chunk has follows from the
// coding. Such tables are written as everybody else writes them, so that a
// chunk has the bytes that its table says.

// packet is how many moments a packet of sound holds, and its bytes.
type packet struct{ moments, bytes uint32 }

// plainSound lists the codings in which a moment is a number for each channel,
// with the bytes of one; 0 when the sample description says how many bits.
var plainSound = map[string]uint32{
	"raw ": 0, "NONE": 0, "twos": 0, "sowt": 0, "in24": 3, "in32": 4, "fl32": 4, "fl64": 8, "ulaw": 1, "alaw": 1,
}

// packedSound lists the packets of one channel in QuickTime's old codings.
var packedSound = map[string]packet{"ima4": {64, 34}, "MAC3": {6, 2}, "MAC6": {6, 1}}

// soundPacket reads a sample description; the packet is zero when it has none
// of a fixed size.
func soundPacket(typ string, b []byte) packet {
	version, channels, bits := be.Uint16(b[8:]), uint32(be.Uint16(b[16:])), uint32(be.Uint16(b[18:]))
	number, plain := plainSound[typ]
	packed, old := packedSound[typ]
	switch {
	case version == 2:
		return packet{be.Uint32(b[60:]), be.Uint32(b[56:])}
	case plain && number == 0:
		return packet{1, channels * (bits / 8)}
	case plain:
		return packet{1, channels * number}
	case old:
		return packet{packed.moments, channels * packed.bytes}
	case version == 1 && len(b) >= 44:
		return packet{be.Uint32(b[28:]), be.Uint32(b[36:])}
	}
	return packet{}
}

// inPackets gives the sample tables of a sound track with packets for samples,
// where they count moments.
func (t *track) inPackets(stbl []child) ([]child, error) {
	stts, stsz := one(stbl, "stts"), one(stbl, "stsz")
	if len(t.packets) == 0 || len(stsz) < 12 || be.Uint32(stsz[4:]) == 0 || len(stts) < 16 || be.Uint32(stts[4:]) != 1 || be.Uint32(stts[12:]) != 1 {
		return stbl, nil
	}
	p := t.packets[0]
	if slices.ContainsFunc(t.packets, func(other packet) bool { return other != p }) {
		return nil, errVideoUnusual
	}
	if p.moments == 0 || p.bytes == 0 || p == (packet{1, be.Uint32(stsz[4:])}) {
		return stbl, nil
	}
	stbl = slices.Clone(stbl)
	for i, c := range stbl {
		first, each := 0, 0 // where the table counts moments
		switch c.typ {
		case "stsz":
			first, each = 8, 12
		case "stts":
			first, each = 8, 8
		case "stsc":
			first, each = 12, 12
		default:
			continue
		}
		b := slices.Clone(c.body)
		for at := first; at+4 <= len(b); at += each {
			n := be.Uint32(b[at:])
			if n%p.moments != 0 {
				return nil, errVideoUnusual
			}
			if be.PutUint32(b[at:], n/p.moments); c.typ == "stsz" {
				be.PutUint32(b[4:], p.bytes)
				break
			}
			if c.typ == "stts" {
				be.PutUint32(b[at+4:], p.moments)
				break
			}
		}
		stbl[i].body = b
	}
	return stbl, nil
}
