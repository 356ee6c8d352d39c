package sanitise

import "io"

// maxStripSegments bounds one JPEG in a strip; libtiff writes 12 segments, and
// progressive ones have some 30.
const maxStripSegments = 100

var startOfImage, endOfImage = []byte{0xff, 0xd8}, []byte{0xff, 0xd9}

// embedded walks a JPEG inside the TIFF (Adobe's Technical Note 2): either a
// strip, or tables that all strips share.
func (t *tiffFile) embedded(at, length int64) (*jpegFile, error) {
	j := &jpegFile{ctx: t.ctx, src: io.NewSectionReader(t.src, at, length), size: length, opt: t.opt, acc: t.acc, orientation: 1, icc: map[byte][]byte{}, most: maxStripSegments, buf: t.scan}
	var head [2]byte
	if err := readAt(j.src, head[:], 0); err != nil {
		return nil, cut(err, errTIFFCut)
	}
	if head != [2]byte(startOfImage) {
		return nil, errTIFFDamaged
	}
	end, err := j.walk()
	t.scan = j.buf
	if err != nil {
		return nil, err
	}
	if len(j.icc) > 0 {
		t.acc.removed("colour profile of a part", 0)
	}
	if end < length {
		t.acc.removed("data after the picture", length-end)
	}
	return j, nil
}

// jpegStrip cleans a strip that is a JPEG.
func (t *tiffFile) jpegStrip(p *tiffPage, s *tiffStrip, rows int) error {
	j, err := t.embedded(s.from, s.length)
	if err != nil {
		return err
	}
	if j.scans == 0 || j.width != p.partWidth || j.height < rows || j.height > p.partHeight {
		return errTIFFDamaged // more pixels than the page shows would be hidden ones
	}
	s.jpeg = append(make([]jpegPiece, 0, 3), jpegPiece{literal: startOfImage})
	if j.adobe != nil {
		s.jpeg = append(s.jpeg, jpegPiece{literal: j.adobe})
	}
	for _, r := range j.keep {
		if last := &s.jpeg[len(s.jpeg)-1]; last.literal == nil && last.from+last.length == s.from+r[0] {
			last.length += r[1]
		} else {
			s.jpeg = append(s.jpeg, jpegPiece{from: s.from + r[0], length: r[1]})
		}
	}
	s.jpeg = append(s.jpeg, jpegPiece{literal: endOfImage})
	for _, piece := range s.jpeg {
		s.size += piece.length + int64(len(piece.literal))
	}
	return nil
}

// jpegTables cleans the tables that all strips of a page share; nil when there
// are none in it.
func (t *tiffFile) jpegTables(f tiffField) ([]byte, error) {
	if f.bytes > 64<<10 || f.typ != 7 && f.typ != 1 {
		return nil, errTIFFDamaged
	}
	j, err := t.embedded(f.at, f.bytes)
	if err != nil {
		return nil, err
	}
	if j.width != 0 {
		return nil, errTIFFDamaged
	}
	if len(j.keep) == 0 {
		return nil, nil
	}
	out := startOfImage[:2:2]
	for _, r := range j.keep {
		b := make([]byte, r[1])
		if err := readAt(j.src, b, r[0]); err != nil {
			return nil, cut(err, errTIFFCut)
		}
		out = append(out, b...)
	}
	return append(out, endOfImage...), nil
}
