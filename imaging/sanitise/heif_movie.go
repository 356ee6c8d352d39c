package sanitise

import (
	"slices"
	"sort"
)

// animation cleans the movie that an animated HEIF picture has besides its
// items, or instead of them (ISO/IEC 23008-12, 7).
func (h *heifFile) animation() error {
	if h.scrubbed = h.src; h.movie.n == 0 {
		return nil
	}
	f := &bmffFile{ctx: h.ctx, src: h.src, size: h.size, opt: h.opt, acc: h.acc, trex: map[uint32]defaults{}, handlers: []string{"vide", "pict", "auxv"}, still: true, mdat: h.mdat}
	if h.movie.n > maxMoov {
		return errHEIFUnusual
	}
	f.moov = make([]byte, h.movie.n)
	if err := readAt(h.src, f.moov, h.movie.off); err != nil {
		return cut(err, errHEIFCut)
	}
	if err := f.movie(); err != nil {
		return err
	}
	var err error
	if h.samples, err = f.samples(); err != nil {
		return err
	}
	if len(h.samples) == 0 {
		return errHEIFCut
	}
	if h.scrubbed, err = f.scrub(); err != nil {
		return err
	}
	h.frames = f
	switch f.codec = stillCodecs[f.codec]; {
	case f.codec == "", len(h.kept) > 0 && h.codec() != f.codec:
		return errHEIFUnusual
	case !f.captured.IsZero() && h.acc.receipt.CapturedAt == nil:
		h.acc.receipt.CapturedAt = &f.captured
	}
	return nil
}

// stillCodecs are the sample entries of animations, by the kind of item that is
// coded in the same way.
var stillCodecs = map[string]string{"hvc1": "hvc1", "hev1": "hvc1", "av01": "av01", "avc1": "avc1", "avc3": "avc1"}

// place rebuilds the movie for when the ranges of samples lie one after the
// other, behind the movie itself, as much before it and between as is said, and
// head. The movie's size does not depend on where they come to lie.
func (f *bmffFile) place(samples []extent, before, between int64) (moov, head []byte, covered int64) {
	moved := make([]int64, len(samples)) // where each range goes
	for i, s := range samples {
		moved[i] = covered
		covered += s.n
	}
	head = mdatHeader(covered)
	start := before + int64(len(f.rebuild(nil))) + between + int64(len(head))
	moov = f.rebuild(func(off int64) int64 {
		i := sort.Search(len(samples), func(i int) bool { return samples[i].off > off }) - 1
		if i < 0 || off >= samples[i].off+samples[i].n {
			return start // of a chunk without bytes
		}
		return start + moved[i] + off - samples[i].off
	})
	return moov, head, covered
}

// besides reports whether a track of a HEIF picture is left out after all: a
// depth map, or thumbnails of another track.
func (f *bmffFile) besides(t *track, boxes []child) bool {
	thumbs := false
	refs, _ := children(one(boxes, "tref"))
	for _, r := range refs {
		thumbs = thumbs || r.typ == "thmb"
	}
	alpha := len(t.looks) > 0 && !slices.ContainsFunc(t.looks, func(l look) bool { return !l.alpha })
	switch {
	case !f.still:
		return false
	case t.handler == "auxv" && !alpha:
		f.acc.removed("depth map or other auxiliary track", 0)
		return true
	case thumbs:
		f.acc.removed("embedded thumbnail", 0)
		return true
	}
	return false
}

// stillRefs keeps which track is the alpha plane of which.
func (f *bmffFile) stillRefs(b []byte) ([]byte, error) {
	refs, err := children(b)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, r := range refs {
		if f.still && (r.typ == "auxl" || r.typ == "prem") && len(r.body) > 0 && len(r.body)%4 == 0 {
			out = append(out, box(r.typ, r.body)...)
			continue
		}
		f.dropped("tref", r.body, int64(len(r.body)))
	}
	if out == nil {
		return nil, nil
	}
	return box("tref", out), nil
}
