package verify

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// The run lengths of faxes (ITU-T T.4, tables 2 and 3a, 3b) and their codes.
const whiteRuns = `
	0=00110101 1=000111 2=0111 3=1000 4=1011 5=1100 6=1110 7=1111 8=10011 9=10100
	10=00111 11=01000 12=001000 13=000011 14=110100 15=110101 16=101010 17=101011 18=0100111 19=0001100
	20=0001000 21=0010111 22=0000011 23=0000100 24=0101000 25=0101011 26=0010011 27=0100100 28=0011000 29=00000010
	30=00000011 31=00011010 32=00011011 33=00010010 34=00010011 35=00010100 36=00010101 37=00010110 38=00010111 39=00101000
	40=00101001 41=00101010 42=00101011 43=00101100 44=00101101 45=00000100 46=00000101 47=00001010 48=00001011 49=01010010
	50=01010011 51=01010100 52=01010101 53=00100100 54=00100101 55=01011000 56=01011001 57=01011010 58=01011011 59=01001010
	60=01001011 61=00110010 62=00110011 63=00110100 64=11011 128=10010 192=010111 256=0110111 320=00110110 384=00110111
	448=01100100 512=01100101 576=01101000 640=01100111 704=011001100 768=011001101 832=011010010 896=011010011 960=011010100 1024=011010101
	1088=011010110 1152=011010111 1216=011011000 1280=011011001 1344=011011010 1408=011011011 1472=010011000 1536=010011001 1600=010011010 1664=011000
	1728=010011011
`

const blackRuns = `
	0=0000110111 1=010 2=11 3=10 4=011 5=0011 6=0010 7=00011
	8=000101 9=000100 10=0000100 11=0000101 12=0000111 13=00000100 14=00000111 15=000011000
	16=0000010111 17=0000011000 18=0000001000 19=00001100111 20=00001101000 21=00001101100 22=00000110111 23=00000101000
	24=00000010111 25=00000011000 26=000011001010 27=000011001011 28=000011001100 29=000011001101 30=000001101000 31=000001101001
	32=000001101010 33=000001101011 34=000011010010 35=000011010011 36=000011010100 37=000011010101 38=000011010110 39=000011010111
	40=000001101100 41=000001101101 42=000011011010 43=000011011011 44=000001010100 45=000001010101 46=000001010110 47=000001010111
	48=000001100100 49=000001100101 50=000001010010 51=000001010011 52=000000100100 53=000000110111 54=000000111000 55=000000100111
	56=000000101000 57=000001011000 58=000001011001 59=000000101011 60=000000101100 61=000001011010 62=000001100110 63=000001100111
	64=0000001111 128=000011001000 192=000011001001 256=000001011011 320=000000110011 384=000000110100 448=000000110101 512=0000001101100
	576=0000001101101 640=0000001001010 704=0000001001011 768=0000001001100 832=0000001001101 896=0000001110010 960=0000001110011 1024=0000001110100
	1088=0000001110101 1152=0000001110110 1216=0000001110111 1280=0000001010010 1344=0000001010011 1408=0000001010100 1472=0000001010101 1536=0000001011010
	1600=0000001011011 1664=0000001100100 1728=0000001100101
`

const longRuns = `
	1792=00000001000 1856=00000001100 1920=00000001101 1984=000000010010 2048=000000010011 2112=000000010100 2176=000000010101 2240=000000010110 2304=000000010111 2368=000000011100
	2432=000000011101 2496=000000011110 2560=000000011111
`

// runOf gives the run length of a code, less than 0 where there is none. Codes
// are numbered by their bits behind a one.
var runOf = [2][]int{runs(whiteRuns + longRuns), runs(blackRuns + longRuns)}

func runs(table string) []int {
	out := make([]int, 1<<14)
	for i := range out {
		out[i] = -1
	}
	for _, pair := range strings.Fields(table) {
		length, code, _ := strings.Cut(pair, "=")
		n, _ := strconv.Atoi(length) // both are numbers above
		bits, _ := strconv.ParseUint("1"+code, 2, 16)
		out[bits] = n
	}
	return out
}

// The modes of a row that is coded by the one above (T.6, table 1), numbered by
// their bits behind a one. Those of vertical mode give the distance.
const (
	modePass       = 0b1_0001
	modeHorizontal = 0b1_001
)

var modeVertical = map[int]int64{0b1_1: 0, 0b1_011: 1, 0b1_010: -1, 0b1_000011: 2, 0b1_000010: -2, 0b1_0000011: 3, 0b1_0000010: -3}

// fax draws the rows of a fax one after the other, each a byte a pixel, to see
// where its data end.
type fax struct {
	in         *bufio.Reader
	swapped    bool // the first bit is the lowest
	now        byte // what is left of the byte begun, from its top
	left       int
	used       int64 // bytes
	above, row []byte
}

const (
	errFaxEnd  = faxError("the fax ends early")
	errFaxCode = faxError("a code that no fax has")
)

type faxError string

func (e faxError) Error() string { return string(e) }

func (f *fax) bit() (int, error) {
	if f.left == 0 {
		b, err := f.in.ReadByte()
		if err == io.EOF {
			err = errFaxEnd
		}
		if err != nil {
			return 0, err
		}
		if f.swapped {
			var r byte
			for i := range 8 {
				r |= b >> i & 1 << (7 - i)
			}
			b = r
		}
		f.now, f.left = b, 8
		f.used++
	}
	b := int(f.now >> 7)
	f.now <<= 1
	f.left--
	return b, nil
}

// page draws all rows. What may follow them is left to trailer.
func (f *fax) page(kind, options, width, rows int64) error {
	if width > 1<<20 {
		return errFaxCode
	}
	f.above, f.row = make([]byte, width), make([]byte, width)
	for range rows {
		flat := kind != 4
		if kind == 2 {
			f.left = 0
		}
		if kind == 3 {
			if err := f.eol(); err != nil {
				return err
			}
			if options&1 == 1 {
				b, err := f.bit()
				if err != nil {
					return err
				}
				flat = b == 1
			}
		}
		var err error
		if flat {
			err = f.alternate(width)
		} else {
			err = f.against(width)
		}
		if err != nil {
			return err
		}
		f.above, f.row = f.row, f.above
	}
	return nil
}

// eol reads an end of line with its fill: at least 11 zeros, and a one.
func (f *fax) eol() error {
	for zeros := 0; ; zeros++ {
		b, err := f.bit()
		if err != nil {
			return err
		}
		if b == 1 {
			if zeros < 11 {
				return errFaxCode
			}
			return nil
		}
	}
}

// trailer reports whether what is left is nothing but ends of lines and zeros.
func (f *fax) trailer(kind, options int64) error {
	if _, err := f.in.Peek(1); err == io.EOF {
		return nil // but for what fills the last byte
	}
	for n := 0; ; n++ {
		if err := f.eol(); err == errFaxEnd {
			return nil // zeros
		} else if err != nil {
			return err
		}
		if n >= 6 || kind == 2 || kind == 4 && n >= 2 {
			return errFaxCode
		}
		if kind == 3 && options&1 == 1 {
			if _, err := f.bit(); err != nil {
				return errFaxCode
			}
		}
	}
}

// alternate draws runs of alternating colours until the row is full.
func (f *fax) alternate(width int64) error {
	at, colour := int64(0), byte(0)
	for at < width {
		var err error
		if at, err = f.fill(at, colour); err != nil {
			return err
		}
		colour ^= 1
	}
	return nil
}

// fill draws one run of a colour.
func (f *fax) fill(at int64, colour byte) (int64, error) {
	for {
		code, run := 1, -1
		for run < 0 {
			b, err := f.bit()
			if err != nil {
				return 0, err
			}
			if code = code<<1 | b; code >= len(runOf[colour]) {
				return 0, errFaxCode
			}
			run = runOf[colour][code]
		}
		end := at + int64(run)
		if end > int64(len(f.row)) {
			return 0, errFaxCode
		}
		f.paint(at, end, colour)
		if at = end; run < 64 {
			return at, nil
		}
	}
}

func (f *fax) paint(from, to int64, colour byte) {
	for i := from; i < to; i++ {
		f.row[i] = colour
	}
}

// against draws a row by the one above it (T.6, 2.2).
func (f *fax) against(width int64) error {
	a0, colour := int64(0), byte(0)
	start, b1 := true, int64(-1)
	edge := func(from int64, to byte) int64 { // the first pixel from there that turns to a colour
		for j := from; j < width; j++ {
			before := byte(0)
			if j > 0 {
				before = f.above[j-1]
			}
			if f.above[j] == to && before != to {
				return j
			}
		}
		return width
	}
	for a0 < width {
		if from := a0 + 1; b1 < from { // not the one found before
			if start {
				from = 0
			}
			b1 = edge(from, colour^1)
		}
		mode, by := 1, int64(0)
		for vertical := false; !vertical && mode != modePass && mode != modeHorizontal; {
			b, err := f.bit()
			if err != nil {
				return err
			}
			if mode = mode<<1 | b; mode > 0xff {
				return errFaxCode
			}
			by, vertical = modeVertical[mode]
		}
		if mode == modePass {
			b2 := edge(b1+1, colour)
			f.paint(a0, b2, colour)
			a0, start, b1 = b2, false, -1
			continue
		}
		if mode == modeHorizontal {
			a1, err := f.fill(a0, colour)
			if err == nil {
				a0, err = f.fill(a1, colour^1)
			}
			if err != nil {
				return err
			}
			start = false
			continue
		}
		a1 := b1 + by
		if a1 < a0 || a1 > width {
			return errFaxCode
		}
		f.paint(a0, a1, colour)
		a0, colour, start, b1 = a1, colour^1, false, -1
	}
	return nil
}
