package sanitise

import (
	"slices"
	"time"

	"github.com/wardseal/wardseal/internal/words"
)

// track is one kept track, as clean boxes. The chunk offsets are apart since
// they change.
type track struct {
	id         uint32
	handler    string
	head, edit []byte
	edits      []edit
	frag       *fragmented
	refs       []byte // tref, of the animation of a HEIF picture
	media      []byte // mdhd and hdlr
	info       []byte // vmhd or smhd, and dinf
	stsd       []byte
	tables     []byte // of stbl, without offsets
	offsets    []int64
	wide       bool // co64

	looks   []look   // of each sample description of pictures
	packets []packet // and of sound

	chunks []byte // stsc, without its head
	sizes  []byte // stsz or stz2, whole
	packed bool   // stz2
}

// movie reads the movie and keeps the tracks of pictures and sound.
func (f *bmffFile) movie() error {
	boxes, err := children(f.moov)
	if err != nil {
		return err
	}
	f.findChapters(boxes)
	taken := time.Time{}
	for _, c := range boxes {
		switch c.typ {
		case "trak":
			if len(f.tracks) >= maxTracks {
				return errVideoUnusual
			}
			if err := f.trak(c.body); err != nil {
				return err
			}
		case "mvhd":
		case "mvex":
			if err := f.extends(c.body); err != nil {
				return err
			}
		case "cmov", "rmra":
			return errVideoUnusual
		default:
			f.dropped(c.typ, c.body, int64(len(c.body)))
			if t := told(c); taken.IsZero() {
				taken = t
			}
		}
	}
	if !slices.ContainsFunc(f.tracks, func(t *track) bool { return t.handler == "vide" || t.handler == "pict" }) {
		return refuse("no-pictures", "This file has sound or data but no pictures. Send a photo or a video.")
	}
	h := one(boxes, "mvhd")
	clean, err := f.times(h, 100, 112)
	if err != nil {
		return err
	}
	if !taken.IsZero() {
		f.captured = taken
	}
	clear(clean[len(clean)-28 : len(clean)-4]) // preview, poster and selection times of QuickTime
	clear(clean[len(clean)-74 : len(clean)-64])
	f.moov = box("mvhd", clean)
	return nil
}

// findChapters notes the tracks that others name as their chapters: titles, and
// small pictures of the film.
func (f *bmffFile) findChapters(moov []child) {
	for _, c := range moov {
		if c.typ != "trak" {
			continue
		}
		trak, err := children(c.body)
		if err != nil {
			continue // trak says so
		}
		refs, err := children(one(trak, "tref"))
		if err != nil {
			continue
		}
		for ids := one(refs, "chap"); len(ids) >= 4 && len(f.chapters) < maxTracks; ids = ids[4:] {
			f.chapters[be.Uint32(ids)] = true
		}
	}
}

// times copies a header of one of two versions and clears its times.
func (f *bmffFile) times(h []byte, short, long int) ([]byte, error) {
	if len(h) < 4 {
		return nil, errVideoDamaged
	}
	want, width := short, 4
	if h[0] == 1 {
		want, width = long, 8
	}
	if h[0] > 1 || len(h) < want {
		return nil, errVideoDamaged
	}
	out := slices.Clone(h[:want])
	if width == 4 {
		f.noteTime(uint64(be.Uint32(out[4:])))
	} else {
		f.noteTime(be.Uint64(out[4:]))
	}
	clear(out[4 : 4+2*width])
	return out, nil
}

func (f *bmffFile) trak(b []byte) error {
	boxes, err := children(b)
	if err != nil {
		return err
	}
	mdia, err := children(one(boxes, "mdia"))
	if err != nil {
		return err
	}
	hdlr := one(mdia, "hdlr")
	if len(hdlr) < 12 {
		return errVideoDamaged
	}
	t := &track{handler: string(hdlr[8:12])}
	if h := one(boxes, "tkhd"); len(h) >= 24 {
		if t.id = be.Uint32(h[12:]); h[0] == 1 {
			t.id = be.Uint32(h[20:])
		}
	}
	if f.chapters[t.id] {
		f.acc.removed("chapters", int64(len(b)))
		return nil
	}
	if t.handler == "soun" && f.opt.DropSound {
		f.acc.removed("sound removed by choice", int64(len(b)))
		return nil
	}
	if !slices.Contains(f.handlers, t.handler) {
		kind, ok := map[string]words.Text{"meta": "timed metadata track", "tmcd": "time code track", "text": "text track", "sbtl": "subtitle track", "subt": "subtitle track", "hint": "hint track", "clcp": "caption track", "soun": "sound track"}[t.handler]
		if !ok {
			kind = "track of another kind"
		}
		f.acc.removed(kind, int64(len(b)))
		return nil
	}
	if len(hdlr) > 25 {
		f.acc.removed("handler names", int64(len(hdlr)-24))
	}
	if t.head, err = f.times(one(boxes, "tkhd"), 84, 96); err != nil {
		return err
	}
	n := len(t.head) // from the end: reserved bytes
	clear(t.head[n-60 : n-52])
	clear(t.head[n-46 : n-44])
	for _, c := range boxes {
		switch c.typ {
		case "tkhd", "mdia":
		case "tref":
			if t.refs, err = f.stillRefs(c.body); err != nil {
				return err
			}
		case "edts":
			if err = t.edts(c.body); err != nil {
				return err
			}
		default:
			f.dropped(c.typ, c.body, int64(len(c.body)))
		}
	}
	if err := f.media(t, mdia); err != nil {
		return err
	}
	if f.besides(t, boxes) {
		return nil
	}
	f.tracks = append(f.tracks, t)
	return nil
}

// edit is a stretch of a track's media in the film; from is -1 for a pause.
type edit struct {
	length, from int64
	rate         uint32
}

func (t *track) edts(b []byte) error {
	boxes, err := children(b)
	if err != nil {
		return err
	}
	elst := one(boxes, "elst")
	if elst == nil {
		return nil
	}
	each := 12
	if len(elst) >= 8 && elst[0] == 1 {
		each = 20
	}
	if len(elst) > 8+maxEdits*each {
		return errVideoUnusual
	}
	body, err := counted(elst, each)
	if err != nil {
		return err
	}
	body[3] = elst[3] & 1 // it plays again and again
	for b := body[8:]; len(b) > 0; b = b[each:] {
		if each == 20 {
			t.edits = append(t.edits, edit{int64(min(be.Uint64(b), 1<<62)), int64(be.Uint64(b[8:])), be.Uint32(b[16:])})
		} else {
			t.edits = append(t.edits, edit{int64(be.Uint32(b)), int64(int32(be.Uint32(b[4:]))), be.Uint32(b[8:])})
		}
	}
	t.edit = box("edts", box("elst", body))
	return nil
}

// extends reads the defaults of fragments.
func (f *bmffFile) extends(b []byte) error {
	boxes, err := children(b)
	if err != nil {
		return err
	}
	f.acc.removed("fragment defaults", int64(len(b)))
	for _, c := range boxes {
		if c.typ != "trex" {
			continue
		}
		if len(c.body) < 24 {
			return errVideoDamaged
		}
		f.trex[be.Uint32(c.body[4:])] = defaults{be.Uint32(c.body[8:]), be.Uint32(c.body[12:]), be.Uint32(c.body[16:]), be.Uint32(c.body[20:])}
	}
	return nil
}

// counted cuts a table to what its count says.
func counted(b []byte, each int) ([]byte, error) {
	if len(b) < 8 {
		return nil, errVideoDamaged
	}
	n := uint64(be.Uint32(b[4:]))
	if n*uint64(each) > uint64(len(b)-8) {
		return nil, errVideoDamaged
	}
	out := slices.Clone(b[:8+int(n)*each])
	clear(out[1:4])
	return out, nil
}

func (f *bmffFile) media(t *track, mdia []child) error {
	mdhd, err := f.times(one(mdia, "mdhd"), 24, 36)
	if err != nil {
		return err
	}
	copy(mdhd[len(mdhd)-4:], []byte{0x55, 0xc4, 0, 0}) // language "und", quality 0
	t.media = append(box("mdhd", mdhd), f.handlerBox("mhlr", t.handler)...)
	minf, err := children(one(mdia, "minf"))
	if err != nil {
		return err
	}
	typ, n := "vmhd", 12
	if t.handler == "soun" {
		typ, n = "smhd", 8
	}
	h := one(minf, typ)
	if len(h) < n {
		return errVideoDamaged
	}
	t.info = box(typ, h[:n])
	if f.quick {
		t.info = append(t.info, f.handlerBox("dhlr", "url ")...)
	}
	// The media is in this file: data references elsewhere are not followed.
	t.info = append(t.info, box("dinf", box("dref", []byte{0, 0, 0, 0, 0, 0, 0, 1}, box("url ", []byte{0, 0, 0, 1})))...)
	stbl, err := children(one(minf, "stbl"))
	if err != nil {
		return err
	}
	return f.sampleTables(t, stbl)
}

// handlerBox is a handler without a maker and a name.
func (f *bmffFile) handlerBox(component, handler string) []byte {
	if !f.quick {
		component = "\x00\x00\x00\x00"
	}
	return box("hdlr", make([]byte, 4), []byte(component), []byte(handler), make([]byte, 13))
}

func (f *bmffFile) sampleTables(t *track, stbl []child) error {
	stsd, err := f.descriptions(t, one(stbl, "stsd"))
	if err != nil {
		return err
	}
	if stbl, err = t.inPackets(stbl); err != nil {
		return err
	}
	t.stsd = stsd
	t.tables = box("stsd", stsd)
	for _, c := range []struct {
		typ  string
		each int
	}{{"stts", 8}, {"ctts", 8}, {"stss", 4}, {"stps", 4}, {"stsc", 12}} {
		b := one(stbl, c.typ)
		if b == nil {
			continue
		}
		if b, err = counted(b, c.each); err != nil {
			return err
		}
		if c.typ == "stsc" {
			t.chunks = b[8:]
		}
		t.tables = append(t.tables, box(c.typ, b)...)
	}
	if b := one(stbl, "cslg"); len(b) >= 24 && b[0] == 0 {
		t.tables = append(t.tables, box("cslg", b[:24])...)
	}
	if t.sizes = one(stbl, "stsz"); t.sizes == nil {
		t.sizes, t.packed = one(stbl, "stz2"), true
	}
	if len(t.sizes) < 12 {
		return errVideoDamaged
	}
	t.sizes = slices.Clone(t.sizes)
	clear(t.sizes[1:4])
	offsets, each := one(stbl, "stco"), 4
	if offsets == nil {
		offsets, each, t.wide = one(stbl, "co64"), 8, true
	}
	if offsets, err = counted(offsets, each); err != nil {
		return err
	}
	if f.chunks += len(offsets) / each; f.chunks > maxOffsets {
		return errVideoPieces
	}
	t.offsets = make([]int64, 0, len(offsets)/each)
	for b := offsets[8:]; len(b) > 0; b = b[each:] {
		if each == 4 {
			t.offsets = append(t.offsets, int64(be.Uint32(b)))
		} else {
			t.offsets = append(t.offsets, int64(min(be.Uint64(b), 1<<62)))
		}
	}
	if f.size > 1<<32-1-maxMoov {
		t.wide = true
	}
	for _, c := range stbl {
		if !slices.Contains([]string{"stsd", "stts", "ctts", "stss", "stps", "stsc", "stsz", "stz2", "stco", "co64", "cslg"}, c.typ) {
			f.dropped(c.typ, c.body, int64(len(c.body)))
		}
	}
	return nil
}

// rebuild gives the movie with chunk offsets moved. With moved nil they are
// left as they are, for the size. It is nil when an offset does not fit.
func (f *bmffFile) rebuild(moved func(int64) int64) []byte {
	body := slices.Clone(f.moov)
	for _, t := range f.tracks {
		typ, table := "stco", make([]byte, 8, 8+8*len(t.offsets))
		if t.wide {
			typ = "co64"
		}
		be.PutUint32(table[4:], uint32(len(t.offsets)))
		for _, off := range t.offsets {
			if moved != nil {
				if off = moved(off); !t.wide && off > 1<<32-1 {
					return nil
				}
			}
			if t.wide {
				table = be.AppendUint64(table, uint64(off))
			} else {
				table = be.AppendUint32(table, uint32(off))
			}
		}
		size := "stsz"
		if t.packed {
			size = "stz2"
		}
		stbl := box("stbl", t.tables, box(size, t.sizes), box(typ, table))
		body = append(body, box("trak", box("tkhd", t.head), t.refs, t.edit, box("mdia", t.media, box("minf", t.info, stbl)))...)
	}
	return box("moov", body)
}
