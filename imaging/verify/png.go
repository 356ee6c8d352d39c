package verify

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
)

// png walks the chunks in order; each is known, of its length, and whole.
func png(ctx context.Context, src io.ReaderAt, size int64) error {
	in := newCursor(ctx, src, size)
	if err := in.expect("PNG signature", []byte("\x89PNG\r\n\x1a\n")); err != nil {
		return err
	}
	var order []string
	for {
		at := in.at
		h, err := in.take(8)
		if err != nil {
			return err
		}
		n, typ := int64(binary.BigEndian.Uint32(h)), string(h[4:8])
		sum := crc32.ChecksumIEEE(h[4:8])
		var body []byte
		for left := n; left > 0; {
			b, err := in.take(min(left, 64<<10))
			if err != nil {
				return err
			}
			sum = crc32.Update(sum, crc32.IEEETable, b)
			if left -= int64(len(b)); n <= 8<<20 && typ != "IDAT" {
				body = append(body, b...)
			}
		}
		crc, err := in.take(4)
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint32(crc) != sum {
			return &Finding{"a chunk with a wrong checksum", at}
		}
		if err := pngChunk(typ, n, body, at, order); err != nil {
			return err
		}
		if typ == "IEND" {
			return first(found(in.at != size, "data after the end", in.at), found(!slices.Contains(order, "IDAT"), "no picture", at))
		}
		if len(order) == 0 || order[len(order)-1] != typ {
			order = append(order, typ)
		}
	}
}

func pngChunk(typ string, n int64, body []byte, at int64, order []string) error {
	exact := map[string]int64{"IHDR": 13, "IEND": 0, "gAMA": 4, "cHRM": 32, "sRGB": 1, "cICP": 4, "pHYs": 9, "mDCV": 24, "cLLI": 8}
	if len(order) == 0 && typ != "IHDR" || typ != "IDAT" && slices.Contains(order, typ) {
		return &Finding{"a chunk out of order or twice", at}
	}
	if typ == "IDAT" && slices.Contains(order, "IDAT") && order[len(order)-1] != "IDAT" {
		return &Finding{"picture data in two places", at}
	}
	if want, ok := exact[typ]; ok {
		return found(n != want, "a chunk of wrong length", at)
	}
	switch typ {
	case "IDAT":
		return nil
	case "PLTE":
		return found(n == 0 || n > 768 || n%3 != 0, "a palette of wrong length", at)
	case "tRNS":
		return found(n > 256, "a transparency of wrong length", at)
	case "sBIT":
		return found(n > 4, "a chunk of wrong length", at)
	case "bKGD":
		return found(n > 6, "a chunk of wrong length", at)
	case "eXIf":
		return found(!onlyOrientation(append([]byte("Exif\x00\x00"), body...)), "EXIF that holds more than an orientation", at)
	case "iCCP":
		if !bytes.HasPrefix(body, []byte("icc\x00\x00")) {
			return &Finding{"a colour profile with a name", at}
		}
		rest := bytes.NewReader(body[5:])
		z, err := zlib.NewReader(rest)
		if err != nil {
			return &Finding{"a colour profile that does not open", at}
		}
		p, err := io.ReadAll(io.LimitReader(z, 8<<20))
		if err != nil || rest.Len() != 0 {
			return &Finding{"a colour profile that does not open", at}
		}
		return profile(p)
	}
	return &Finding{"a chunk that rendering does not need", at}
}
