package sanitise

import "bytes"

// esds rebuilds the elementary stream descriptor (ISO/IEC 14496-1, 7.2.6.5)
// with what decoding needs: the kind of stream and the decoder's own settings.
func esds(b []byte, acc *account) ([]byte, error) {
	if len(b) < 4 {
		return nil, errVideoDamaged
	}
	tag, es, _ := descriptor(b[4:])
	if tag != 3 || len(es) < 3 {
		return nil, errVideoDamaged
	}
	id, flags, rest := es[:2], es[2], es[3:]
	skip := 0
	if flags&0x80 != 0 {
		skip += 2
	}
	if flags&0x40 != 0 && skip < len(rest) {
		skip += 1 + int(rest[skip])
	}
	if flags&0x20 != 0 {
		skip += 2
	}
	if skip > len(rest) {
		return nil, errVideoDamaged
	}
	tag, config, _ := descriptor(rest[skip:])
	if tag != 4 || len(config) < 13 {
		return nil, errVideoDamaged
	}
	fixed, own := config[:13], []byte(nil)
	for more := config[13:]; len(more) > 0; {
		var body []byte
		if tag, body, more = descriptor(more); tag == 5 && own == nil && len(body) > 0 {
			own = bytes.Clone(body)
			if fixed[0] == 0x20 || fixed[0] >= 0x60 && fixed[0] <= 0x65 { // MPEG-4 or MPEG-2 pictures
				headerText(own, fixed[0] == 0x20, acc)
			}
			if fixed[0] == 0x40 || fixed[0] >= 0x66 && fixed[0] <= 0x68 { // AAC
				if clean, ok := configAAC(own); ok {
					if len(clean) < len(own) {
						acc.removed("texts in the decoder settings", int64(len(own)-len(clean)))
					}
					own = clean
				}
			}
			own = describe(5, own)
		}
	}
	out := describe(3, append(bytes.Clone(id), 0), describe(4, fixed, own), []byte{6, 1, 2})
	return append(make([]byte, 4), out...), nil
}

// descriptor splits the first descriptor off b; its tag is 0 if there is none.
func descriptor(b []byte) (tag byte, body, rest []byte) {
	n := 0
	for i := 1; i < len(b) && i <= 4; i++ {
		n = n<<7 | int(b[i]&0x7f)
		if b[i]&0x80 != 0 {
			continue
		}
		if n > len(b)-i-1 {
			break
		}
		return b[0], b[i+1:][:n], b[i+1+n:]
	}
	return 0, nil, nil
}

// describe is a descriptor with its length in four bytes, as most write it.
func describe(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	n := len(body)
	return append([]byte{tag, 0x80 | byte(n>>21), 0x80 | byte(n>>14), 0x80 | byte(n>>7), byte(n & 0x7f)}, body...)
}

// headerText overwrites user data in the headers of a picture stream.
func headerText(b []byte, names bool, acc *account) {
	code := []byte{0, 0, 1}
	for i := bytes.Index(b, []byte{0, 0, 1, 0xb2}); i >= 0; {
		text := b[i+4:]
		if n := bytes.Index(text, code); n >= 0 {
			text = text[:n]
		}
		if !(names && encoderName(text)) && !allOnes(text) {
			acc.removed("text or private data in the video stream", int64(len(text)))
			for k := range text {
				text[k] = 0xff
			}
		}
		b = b[i+4+len(text):]
		i = bytes.Index(b, []byte{0, 0, 1, 0xb2})
	}
}
