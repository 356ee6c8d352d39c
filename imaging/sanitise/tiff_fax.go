package sanitise

import (
	"bufio"
	"io"
	"math/bits"
	"strings"
)

// The codes of run lengths (ITU-T T.4, tables 2 and 3): of 0 to 63, then of 64
// to 1728 in steps of 64; those of 1792 to 2560 are the same for both colours.
const (
	faxWhite = "" +
		"00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 " +
		"101010 101011 0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 0100100 0011000 00000010 00000011 00011010 " +
		"00011011 00010010 00010011 00010100 00010101 00010110 00010111 00101000 00101001 00101010 00101011 00101100 00101101 00000100 00000101 00001010 " +
		"00001011 01010010 01010011 01010100 01010101 00100100 00100101 01011000 01011001 01011010 01011011 01001010 01001011 00110010 00110011 00110100 " +
		"11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 011001101 011010010 011010011 011010100 011010101 " +
		"011010110 011010111 011011000 011011001 011011010 011011011 010011000 010011001 010011010 011000 010011011 "
	faxBlack = "" +
		"0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 " +
		"0000111 00000100 00000111 000011000 0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 00000110111 00000101000 " +
		"00000010111 00000011000 000011001010 000011001011 000011001100 000011001101 000001101000 000001101001 000001101010 000001101011 000011010010 000011010011 " +
		"000011010100 000011010101 000011010110 000011010111 000001101100 000001101101 000011011010 000011011011 000001010100 000001010101 000001010110 000001010111 " +
		"000001100100 000001100101 000001010010 000001010011 000000100100 000000110111 000000111000 000000100111 000000101000 000001011000 000001011001 000000101011 " +
		"000000101100 000001011010 000001100110 000001100111 " +
		"0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 0000001101100 0000001101101 0000001001010 0000001001011 0000001001100 " +
		"0000001001101 0000001110010 0000001110011 0000001110100 0000001110101 0000001110110 0000001110111 0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 " +
		"0000001011011 0000001100100 0000001100101 "
	faxLong = "" +
		"00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110 000000010111 000000011100 000000011101 000000011110 000000011111 "
)

// faxCodes is the run length of each code by its bits with a 1 in front; -1
// where there is no such code. White first.
var faxCodes = [2][]int16{faxTable(faxWhite + faxLong), faxTable(faxBlack + faxLong)}

func faxTable(codes string) []int16 {
	table := make([]int16, 1<<14)
	for i := range table {
		table[i] = -1
	}
	for i, code := range strings.Fields(codes) {
		at := 1
		for _, bit := range code {
			at = at<<1 | int(bit-'0')
		}
		table[at] = int16(i)
		if i > 63 {
			table[at] = int16(i-63) * 64
		}
	}
	return table
}

// faxReader follows the codes of a fax (T.4, T.6) without drawing it. It keeps
// where colours change in one row, since the next one may refer to it.
type faxReader struct {
	in       *bufio.Reader
	reversed bool
	bits     uint64 // the last have bits are still to come
	have     uint
	read     int64 // bytes
	width    int
	ref, cur []int // where colours change, white to black first
}

// rows passes over so many rows and what may end them, and gives the number of
// bytes that they fill.
func (x *faxReader) rows(compression uint32, options uint32, rows int) (int64, error) {
	for range rows {
		one := compression != tiffFax4
		switch compression {
		case tiffFaxRuns:
			x.have -= x.have % 8
		case tiffFax3:
			ok, err := x.endOfLine()
			if err != nil {
				return 0, err
			}
			if !ok {
				return 0, errTIFFDamaged
			}
			if options&1 != 0 {
				tag, err := x.take(1)
				if err != nil {
					return 0, err
				}
				one = tag == 1
			}
		}
		x.cur = x.cur[:0]
		err := error(nil)
		if one {
			err = x.rowOfRuns()
		} else {
			err = x.rowOfChanges()
		}
		if err != nil {
			return 0, err
		}
		x.ref, x.cur = x.cur, x.ref
	}
	end := x.at()
	most := map[uint32]int{tiffFax3: 6, tiffFax4: 2}[compression]
	for range most {
		if ok, err := x.endOfLine(); err != nil || !ok {
			break
		}
		if compression == tiffFax3 && options&1 != 0 {
			if _, err := x.take(1); err != nil {
				break
			}
		}
		end = x.at()
	}
	return end, nil
}

// at is the number of bytes that were used, with the one begun.
func (x *faxReader) at() int64 { return x.read - int64(x.have/8) }

// peek gives the next n bits, with zeros behind the last, and how many there are.
func (x *faxReader) peek(n uint) (uint64, uint, error) {
	for x.have < n {
		b, err := x.in.ReadByte()
		if err == io.EOF {
			return x.bits & (1<<x.have - 1) << (n - x.have), x.have, nil
		}
		if err != nil {
			return 0, 0, err
		}
		if x.reversed {
			b = bits.Reverse8(b)
		}
		x.bits, x.have, x.read = x.bits<<8|uint64(b), x.have+8, x.read+1
	}
	return x.bits >> (x.have - n) & (1<<n - 1), n, nil
}

func (x *faxReader) take(n uint) (uint64, error) {
	v, got, err := x.peek(n)
	if err == nil && got < n {
		err = io.ErrUnexpectedEOF
	}
	x.have -= min(n, x.have)
	return v, err
}

// endOfLine takes an end of line, with the zeros that fill up to it, if it is next.
func (x *faxReader) endOfLine() (bool, error) {
	v, got, err := x.peek(11)
	if err != nil || got < 11 || v != 0 {
		return false, err
	}
	for {
		bit, err := x.take(1)
		if err == io.ErrUnexpectedEOF {
			return false, nil
		}
		if err != nil || bit == 1 {
			return err == nil, err
		}
	}
}

// run reads the length of a run of a colour: 0 for white.
func (x *faxReader) run(colour int) (int, error) {
	total := 0
	for {
		code, part := uint64(1), int16(-1)
		for part < 0 {
			bit, err := x.take(1)
			if err != nil {
				return 0, err
			}
			if code = code<<1 | bit; code >= 1<<14 {
				return 0, errTIFFDamaged
			}
			part = faxCodes[colour][code]
		}
		if total += int(part); total > x.width {
			return 0, errTIFFDamaged
		}
		if part < 64 {
			return total, nil
		}
	}
}

func (x *faxReader) rowOfRuns() error {
	for at, colour := 0, 0; at < x.width; colour ^= 1 {
		n, err := x.run(colour)
		if err != nil {
			return err
		}
		if at += n; at > x.width {
			return errTIFFDamaged
		}
		x.cur = append(x.cur, at)
	}
	return nil
}

// rowOfChanges reads a row that is coded by how it differs from the one above.
func (x *faxReader) rowOfChanges() error {
	at, colour, i := -1, 0, 0
	for at < x.width {
		for i > 0 && x.change(i-1) > at {
			i--
		}
		for i < len(x.ref) && (x.ref[i] <= at || i&1 != colour) {
			i++
		}
		mode := 0
		for mode < 8 { // the zeros in front of the first 1
			bit, err := x.take(1)
			if err != nil {
				return err
			}
			if bit == 1 {
				break
			}
			mode++
		}
		to := x.change(i)
		switch mode {
		case 0: // right below
		case 3: // passed over
			at = x.change(i + 1)
			continue
		case 2: // two runs
			at = max(at, 0)
			for _, c := range [2]int{colour, colour ^ 1} {
				n, err := x.run(c)
				if err != nil {
					return err
				}
				if at += n; at > x.width {
					return errTIFFDamaged
				}
				x.cur = append(x.cur, at)
			}
			continue
		case 1, 4, 5: // some pixels to the right or left
			right, err := x.take(1)
			if err != nil {
				return err
			}
			by := max(mode-2, 1)
			if right == 0 {
				by = -by
			}
			to += by
		default:
			return errTIFFDamaged
		}
		if to < max(at, 0) || to > x.width {
			return errTIFFDamaged
		}
		x.cur = append(x.cur, to)
		at, colour = to, colour^1
	}
	return nil
}

// change is where the row above changes colour for the ith time.
func (x *faxReader) change(i int) int {
	if i < len(x.ref) {
		return x.ref[i]
	}
	return x.width
}
