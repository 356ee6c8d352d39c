package derive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/wardseal/wardseal/imaging/splice"
)

// The tool writes fragments (ISO/IEC 14496-12, 8.8), because it cannot go back
// in a pipe. Players want one table of samples in front instead: only then do
// they know the length, and where to jump. InOrder makes that table.

const (
	maxHead    = 1 << 20 // of the tool's own moov or moof
	maxSamples = 8 << 20 // of all tracks; hours of film
)

var errFragments = errors.New("not the fragments that the tool writes")

// track is one track's samples.
type track struct {
	id         uint32
	timescale  uint32
	trak       []byte // its box, without samples
	sizes      []uint32
	durations  []run
	offsets    []run // of composition
	sync       []uint32
	chunks     []piece
	next       uint64 // decoding time after the last sample
	end        int64  // when the last sample shown has been shown
	size, step uint32 // defaults of the fragment being read
	flags      uint32
}

type run struct {
	count uint32
	value uint32
}

type piece struct {
	at      int64 // in the fragmented file
	samples uint32
}

// InOrder gives the fragmented MP4 that Play wrote as a plain one, its table of
// samples first. Its samples are those of src, which must stay open. Memory is
// a few bytes a sample.
func InOrder(src io.ReaderAt, size int64) (*splice.Splice, error) {
	f := &fragments{src: src, size: size}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f.write()
}

type fragments struct {
	src    io.ReaderAt
	size   int64
	moov   []byte
	tracks []*track
	data   []extent
	count  int
}

type extent struct{ off, n int64 }

func (f *fragments) read() error {
	for at := int64(0); at < f.size; {
		var head [16]byte
		n, err := f.src.ReadAt(head[:min(16, f.size-at)], at)
		if n < 8 {
			return fmt.Errorf("%w: %w", errFragments, err)
		}
		length, skip := int64(binary.BigEndian.Uint32(head[:])), int64(8)
		if length == 1 && n == 16 {
			length, skip = int64(binary.BigEndian.Uint64(head[8:])), 16
		}
		if length < skip || length > f.size-at {
			return errFragments
		}
		switch kind := string(head[4:8]); kind {
		case "moov", "moof":
			if length > maxHead {
				return errFragments
			}
			body := make([]byte, length-skip)
			if n, err := f.src.ReadAt(body, at+skip); n < len(body) {
				return fmt.Errorf("read a fragment: %w", err)
			}
			if err := f.head(kind, body, at); err != nil {
				return err
			}
		case "mdat":
			f.data = append(f.data, extent{at + skip, length - skip})
		}
		at += length
	}
	if f.moov == nil || len(f.data) == 0 {
		return errFragments
	}
	return nil
}

func (f *fragments) head(kind string, body []byte, at int64) error {
	if kind == "moov" {
		if f.moov != nil {
			return errFragments
		}
		f.moov = body
		return f.header()
	}
	err := error(nil)
	boxes(body, func(kind string, b []byte) bool {
		if kind == "traf" {
			err = f.fragment(b, at)
		}
		return err == nil
	})
	return err
}

// header reads the tracks from moov.
func (f *fragments) header() error {
	boxes(f.moov, func(kind string, b []byte) bool {
		if kind != "trak" {
			return true
		}
		version, _, tkhd := fullBox(inner(b, "tkhd"))
		times := 8
		if version == 1 {
			times = 16
		}
		_, _, mdhd := fullBox(inner(inner(b, "mdia"), "mdhd"))
		if len(tkhd) < times+4 || len(mdhd) < 12 {
			return true
		}
		f.tracks = append(f.tracks, &track{id: binary.BigEndian.Uint32(tkhd[times:]), trak: b, timescale: binary.BigEndian.Uint32(mdhd[8:])})
		return true
	})
	if len(f.tracks) == 0 || len(f.tracks) > 4 {
		return errFragments
	}
	return nil
}

// fragment reads one track's part of a moof at an offset.
func (f *fragments) fragment(b []byte, moof int64) error {
	_, flags, tfhd := fullBox(inner(b, "tfhd"))
	const base, description, duration, size, sampleFlags = 1, 2, 8, 16, 32
	r := &fields{b: tfhd}
	var t *track
	id := r.u32()
	for _, k := range f.tracks {
		if k.id == id {
			t = k
		}
	}
	if t == nil || flags&base != 0 {
		return errFragments
	}
	t.step, t.size, t.flags = 0, 0, 0
	r.when(flags&description != 0)
	t.step, t.size, t.flags = r.when(flags&duration != 0), r.when(flags&size != 0), r.when(flags&sampleFlags != 0)
	version, _, tfdt := fullBox(inner(b, "tfdt"))
	start := t.next
	if d := (&fields{b: tfdt}); len(tfdt) >= 4 {
		if start = uint64(d.u32()); version == 1 {
			start = start<<32 | uint64(d.u32())
		}
	}
	if err := t.gap(start); err != nil {
		return err
	}
	err := error(nil)
	boxes(b, func(kind string, body []byte) bool {
		if kind == "trun" {
			err = f.run(t, body, moof)
		}
		return err == nil
	})
	if r.short {
		return errFragments
	}
	return err
}

// gap lets the last sample last until the next fragment starts.
func (t *track) gap(start uint64) error {
	if start == t.next || len(t.durations) == 0 {
		t.next = max(start, t.next)
		return nil
	}
	last := &t.durations[len(t.durations)-1]
	value := int64(last.value) + int64(start) - int64(t.next)
	if value < 0 || value > math.MaxUint32 {
		return errFragments
	}
	last.count--
	if last.count == 0 {
		t.durations = t.durations[:len(t.durations)-1]
	}
	t.durations = more(t.durations, uint32(value))
	t.next = start
	return nil
}

// run reads one trun box.
func (f *fragments) run(t *track, b []byte, moof int64) error {
	const offset, first, duration, size, flags, composition = 1, 4, 0x100, 0x200, 0x400, 0x800
	const notSync = 1 << 16
	_, has, b := fullBox(b)
	r := &fields{b: b}
	n := r.u32()
	if has&offset == 0 || n == 0 {
		return errFragments
	}
	at := moof + int64(int32(r.u32()))
	firstFlags := t.flags
	if has&first != 0 {
		firstFlags = r.u32()
	}
	if f.count += int(min(n, maxSamples+1)); f.count > maxSamples {
		return errFragments
	}
	t.chunks = append(t.chunks, piece{at, n})
	for i := range n {
		step, bytes, what := t.step, t.size, t.flags
		if i == 0 {
			what = firstFlags
		}
		if has&duration != 0 {
			step = r.u32()
		}
		if has&size != 0 {
			bytes = r.u32()
		}
		if has&flags != 0 {
			what = r.u32()
		}
		late := r.when(has&composition != 0)
		t.offsets = more(t.offsets, late)
		t.end = max(t.end, int64(t.next)+int64(int32(late))+int64(step))
		t.sizes = append(t.sizes, bytes)
		t.durations = more(t.durations, step)
		t.next += uint64(step)
		if what&notSync == 0 { // a sample that others may start from
			t.sync = append(t.sync, uint32(len(t.sizes)))
		}
		at += int64(bytes)
	}
	if r.short || at > f.size {
		return errFragments
	}
	return nil
}

func more(runs []run, value uint32) []run {
	if k := len(runs) - 1; k >= 0 && runs[k].value == value {
		runs[k].count++
		return runs
	}
	return append(runs, run{1, value})
}

// fields reads numbers one after another, and remembers when they ran out.
type fields struct {
	b     []byte
	short bool
}

func (r *fields) u32() uint32 {
	if len(r.b) < 4 {
		r.short = true
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *fields) when(there bool) uint32 {
	if !there {
		return 0
	}
	return r.u32()
}
