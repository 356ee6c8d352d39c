package verify

import (
	"bufio"
	"compress/zlib"
	"errors"
	"io"

	"golang.org/x/image/tiff/lzw"
)

// unpacking measures how far packed data reach. It unpacks into nothing.
type unpacking struct {
	in   *bufio.Reader
	zlib io.ReadCloser
}

// fill gives the number of bytes of r that unpack to so many rows.
func (u *unpacking) fill(r *io.SectionReader, p *tiffPage, rows int64) (int64, error) {
	compression, want := p.compression, p.bytesOf(rows)
	if compression == 1 {
		return want, nil
	}
	if u.in == nil {
		u.in = bufio.NewReaderSize(nil, 32<<10)
	}
	u.in.Reset(r)
	var got int64
	var err error
	switch compression {
	case 2, 3, 4:
		f := &fax{in: u.in, swapped: p.swapped}
		if err = f.page(compression, p.faxOptions, p.wide, rows); err == nil {
			err = f.trailer(compression, p.faxOptions)
		}
		got = want
	case 5:
		z := lzw.NewReader(u.in, lzw.MSB, 8)
		got, err = io.Copy(io.Discard, io.LimitReader(z, want+1))
		if errors.Is(err, io.ErrUnexpectedEOF) && got == want {
			err = nil // without an end code
		}
	case 32773:
		got, err = u.runs(want)
	default:
		got, err = u.deflated(want)
	}
	pos, _ := r.Seek(0, io.SeekCurrent) // it cannot fail
	if err != nil || got != want {
		return 0, &Finding{"a strip that does not unpack to its picture", 0}
	}
	return pos - int64(u.in.Buffered()), nil
}

func (u *unpacking) deflated(want int64) (int64, error) {
	var err error
	if u.zlib == nil {
		u.zlib, err = zlib.NewReader(u.in)
	} else {
		err = u.zlib.(zlib.Resetter).Reset(u.in, nil)
	}
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, io.LimitReader(u.zlib, want+1))
}

// runs follows PackBits (TIFF 6.0, section 9).
func (u *unpacking) runs(want int64) (got int64, err error) {
	for got < want {
		head, err := u.in.ReadByte()
		if err != nil {
			return got, err
		}
		n := int8(head)
		if n == -128 {
			continue
		}
		skip := 1
		if n >= 0 {
			skip = int(n) + 1
			got += int64(skip)
		} else {
			got += 1 - int64(n)
		}
		if _, err := u.in.Discard(skip); err != nil {
			return got, err
		}
	}
	return got, nil
}
