package derive

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

// maxProfile bounds the colour profile that is carried over.
const maxProfile = 4 << 20

// facts is what a picture says about itself besides its pixels. What is
// missing or malformed is left out: sanitising has already refused it.
type facts struct {
	orientation int    // 1 to 8; 1 when not said
	profile     []byte // ICC
	gray        bool
	crop        image.Rectangle // of the decoded picture; all of it when empty
	coding      coding          // how its colours are coded, where no profile says so
}

// profileFor gives the profile if it still describes the picture once it is
// decoded to grey or RGB: the profile's own colour space decides (ICC.1,
// 7.2.6), and a CMYK picture's never does.
func (f facts) profileFor(gray bool, model color.Model) []byte {
	const header = 128
	if len(f.profile) < header || string(f.profile[36:40]) != "acsp" || model == color.CMYKModel {
		return nil
	}
	if int64(binary.BigEndian.Uint32(f.profile)) != int64(len(f.profile)) {
		return nil
	}
	want := "RGB "
	if gray {
		want = "GRAY"
	}
	if string(f.profile[16:20]) != want {
		return nil
	}
	return f.profile
}

const (
	exifName = "Exif\x00\x00"
	iccName  = "ICC_PROFILE\x00"
)

// jpegFacts walks the segments before the first scan (ITU-T T.81, B.1.1).
func jpegFacts(b []byte) facts {
	f := facts{orientation: 1}
	var parts [256][]byte // of the profile, by number (ICC.1, B.4)
	count := 0
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		marker := b[i+1]
		if marker == 0xff { // a fill byte
			i++
			continue
		}
		if marker == 0xda || marker == 0xd9 {
			break
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if n < 2 || i+2+n > len(b) {
			break
		}
		body := b[i+4 : i+2+n]
		i += 2 + n
		if block, ok := bytes.CutPrefix(body, []byte(exifName)); ok && marker == 0xe1 {
			f.orientation = orientation(block)
		}
		if part, ok := bytes.CutPrefix(body, []byte(iccName)); ok && marker == 0xe2 && len(part) > 2 {
			parts[part[0]], count = part[2:], int(part[1])
		}
	}
	for k := 1; k <= count; k++ {
		if parts[k] == nil || len(f.profile)+len(parts[k]) > maxProfile {
			f.profile = nil
			break
		}
		f.profile = append(f.profile, parts[k]...)
	}
	return f
}

// pngFacts walks the chunks (PNG, third edition, 5.3).
func pngFacts(b []byte) facts {
	f := facts{orientation: 1}
	for i := 8; i+12 <= len(b); {
		n := int64(binary.BigEndian.Uint32(b[i:]))
		if n > int64(len(b)-i-12) {
			break
		}
		kind, body := string(b[i+4:i+8]), b[i+8:i+8+int(n)]
		i += 12 + int(n)
		switch kind {
		case "IHDR":
			const palette, colour = 1, 2
			f.gray = n == 13 && body[9]&(palette|colour) == 0
		case "eXIf":
			f.orientation = orientation(body)
		case "iCCP":
			f.profile = inflate(body)
		case "cICP":
			if n == 4 {
				f.coding = coding{int(body[0]), int(body[1]), int(body[2]), body[3] == 1}
			}
		}
	}
	return f
}

// inflate gives the profile of an iCCP chunk: a name, a zero, the method 0,
// and a zlib stream.
func inflate(body []byte) []byte {
	_, rest, ok := bytes.Cut(body, []byte{0})
	if !ok || len(rest) < 1 || rest[0] != 0 {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(rest[1:]))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(z, maxProfile+1))
	if err != nil || len(profile) > maxProfile {
		return nil
	}
	return profile
}

// deflate is the inverse of inflate.
func deflate(profile []byte) []byte {
	out := bytes.NewBufferString("x\x00\x00")
	z := zlib.NewWriter(out)
	_, _ = z.Write(profile) // into memory
	_ = z.Close()
	return out.Bytes()
}

// orientation reads tag 0x0112 from the first directory of a TIFF block, and
// gives 1 when there is none.
func orientation(b []byte) int {
	var order binary.ByteOrder = binary.BigEndian
	if len(b) < 8 {
		return 1
	}
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
	default:
		return 1
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	const entry, short = 12, 3
	dir := b[at+2:]
	for n := int(order.Uint16(b[at:])); n > 0 && len(dir) >= entry; n-- {
		if order.Uint16(dir) == 0x0112 && order.Uint16(dir[2:]) == short {
			if v := int(order.Uint16(dir[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
		dir = dir[entry:]
	}
	return 1
}

// withProfile puts a profile into a JPEG right after its start marker, in as
// many APP2 segments as it takes (ICC.1, B.4).
func withProfile(jpeg, profile []byte) []byte {
	const most = 65535 - 2 - len(iccName) - 2
	if len(profile) == 0 {
		return jpeg
	}
	out := append(make([]byte, 0, len(jpeg)+len(profile)+1024), jpeg[:2]...)
	count := (len(profile) + most - 1) / most
	for k := 1; k <= count; k++ {
		part := profile[:min(most, len(profile))]
		profile = profile[len(part):]
		out = append(out, 0xff, 0xe2)
		out = binary.BigEndian.AppendUint16(out, uint16(2+len(iccName)+2+len(part)))
		out = append(out, iccName...)
		out = append(out, byte(k), byte(count))
		out = append(out, part...)
	}
	return append(out, jpeg[2:]...)
}
