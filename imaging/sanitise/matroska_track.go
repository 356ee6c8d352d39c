package sanitise

import (
	"bytes"
	"strings"

	"github.com/wardseal/wardseal/internal/words"
)

// mkvTrack is one track of the file.
type mkvTrack struct {
	number  uint64
	video   bool
	dropped words.Text // what it is called when it is left out
	alpha   bool       // transparency beside the frames
	entry   []byte     // as it will be written
	lasts   uint64     // nanoseconds a frame

	look   look // into each frame
	blocks int
	bytes  int64 // of all its blocks
}

// looked reports whether things can be written between the pictures.
func (t *mkvTrack) looked() bool { return t.look.codec != nil || t.look.scan != nil }

// ticks is how long frames last, as far as the track says.
func (t *mkvTrack) ticks(frames int, scale uint64) int64 {
	return int64(t.lasts * uint64(frames) / scale)
}

// form is what an element may be, where it is kept by a list.
type form struct {
	id       uint32
	most     uint64 // of a number; 0 for what is not a number
	children []form
	real     bool
}

// What is kept of a track's pictures and sound (RFC 9559, 5.1.4.1.28 and
// 5.1.4.1.29), in the order in which it is written.
var (
	keptVideo = []form{
		{id: 0x9a, most: 2}, {id: 0x9d, most: 14}, {id: 0x53b8, most: 14}, {id: 0x53c0, most: 1}, // interlaced, field order, stereo, alpha
		{id: 0xb0, most: 1 << 16}, {id: 0xba, most: 1 << 16}, // pixels
		{id: 0x54aa, most: 1 << 16}, {id: 0x54bb, most: 1 << 16}, {id: 0x54cc, most: 1 << 16}, {id: 0x54dd, most: 1 << 16}, // crop
		{id: 0x54b0, most: 1 << 20}, {id: 0x54ba, most: 1 << 20}, {id: 0x54b2, most: 4}, // display
		{id: 0x55b0, children: []form{
			{id: 0x55b1, most: 255}, {id: 0x55b2, most: 64}, {id: 0x55b3, most: 8}, {id: 0x55b4, most: 8}, {id: 0x55b5, most: 8}, {id: 0x55b6, most: 8},
			{id: 0x55b7, most: 2}, {id: 0x55b8, most: 2}, {id: 0x55b9, most: 3}, {id: 0x55ba, most: 255}, {id: 0x55bb, most: 255}, {id: 0x55bc, most: 1 << 16}, {id: 0x55bd, most: 1 << 16},
			{id: 0x55d0, children: []form{
				{id: 0x55d1, real: true}, {id: 0x55d2, real: true}, {id: 0x55d3, real: true}, {id: 0x55d4, real: true}, {id: 0x55d5, real: true},
				{id: 0x55d6, real: true}, {id: 0x55d7, real: true}, {id: 0x55d8, real: true}, {id: 0x55d9, real: true}, {id: 0x55da, real: true},
			}},
		}},
	}
	keptAudio = []form{
		{id: 0xb5, real: true}, {id: 0x78b5, real: true}, {id: 0x9f, most: 255}, {id: 0x6264, most: 64}, {id: 0x52f1, most: 16},
	}
)

// kept writes those elements of b that a list has, in its order.
func kept(list []form, b []byte) ([]byte, error) {
	all, err := nodes(b)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, want := range list {
		body := find(all, want.id)
		if body == nil {
			continue
		}
		switch {
		case want.children != nil:
			inner, err := kept(want.children, body)
			if err != nil {
				return nil, err
			}
			if len(inner) > 0 {
				out = append(out, master(want.id, inner)...)
			}
		case want.real:
			if v, ok := real(body); ok {
				out = append(out, floating(want.id, v)...)
			}
		default:
			if v, ok := number64(body); ok && v <= want.most {
				out = append(out, unsigned(want.id, v)...)
			}
		}
	}
	return out, nil
}

// trackList reads the tracks and keeps those of pictures and sound.
func (f *matroskaFile) trackList(e element) error {
	all, err := f.list(e, maxMKVHeader)
	if err != nil {
		return err
	}
	f.hasTracks = true
	for _, c := range all {
		if c.id != 0xae {
			f.acc.removed("unknown or unneeded element", int64(len(c.body)))
			continue
		}
		if len(f.tracks) >= maxTracks {
			return errVideoUnusual
		}
		if err := f.track(c.body); err != nil {
			return err
		}
	}
	return nil
}

func (f *matroskaFile) track(b []byte) error {
	all, err := nodes(b)
	if err != nil {
		return err
	}
	t := &mkvTrack{}
	typ, _ := number64(find(all, 0x83))
	t.number, _ = number64(find(all, 0xd7))
	if t.number == 0 || t.number > 1<<14 {
		return errVideoUnusual
	}
	for _, other := range f.tracks {
		if other.number == t.number {
			return errVideoDamaged
		}
	}
	f.tracks = append(f.tracks, t)
	switch {
	case typ == 1:
		t.video = true
	case typ == 2 && f.opt.DropSound:
		t.dropped = "sound removed by choice"
	case typ == 2:
	case typ == 0x11:
		t.dropped = "subtitle track"
	case typ == 0x21:
		t.dropped = "timed metadata track"
	default:
		t.dropped = "track of another kind"
	}
	f.traces(t, all)
	if t.dropped != "" {
		return nil
	}
	return f.keepTrack(t, all)
}

// traces accounts for what a track says about itself and that is left out.
func (f *matroskaFile) traces(t *mkvTrack, all []node) {
	for _, c := range all {
		kind := words.Text("")
		switch c.id {
		case 0x536e:
			kind = "track names"
		case 0x22b59c, 0x22b59d: // Language, and by BCP 47
			if string(c.body) == "und" {
				continue
			}
			kind = "languages"
		case 0x258688:
			kind = "encoder names"
		case 0x73c5:
			if v, ok := number64(c.body); ok && v == t.number {
				continue
			}
			kind = "unique identifiers"
		case 0x7446, 0x6fab, 0x6624, 0xe2: // of attachments, overlays, translation, operations
			kind = "references to other tracks"
		default:
			continue
		}
		f.acc.removed(kind, int64(len(c.body)))
	}
}

// keepTrack writes the entry of a track.
func (f *matroskaFile) keepTrack(t *mkvTrack, all []node) error {
	small := func(id uint32, most uint64) []byte {
		if v, ok := number64(find(all, id)); ok && v <= most {
			return unsigned(id, v)
		}
		return nil
	}
	t.lasts, _ = number64(find(all, 0x23e383))
	if t.lasts > 1<<40 {
		t.lasts = 0
	}
	if v := find(all, 0x23314f); v != nil { // TrackTimestampScale
		if scale, ok := real(v); !ok || scale != 1 {
			return errVideoUnusual
		}
	}
	typ, media, err := uint64(2), []byte(nil), error(nil)
	if t.video {
		typ = 1
		media, err = f.pictures(t, all)
	} else {
		media, err = f.sound(all)
	}
	if err != nil {
		return err
	}
	strip, err := f.encodings(find(all, 0x6d80))
	if err != nil {
		return err
	}
	codec := strings.TrimRight(string(find(all, 0x86)), "\x00")
	dolby := f.dolby(all)
	t.look.dolby = dolby != nil
	private, err := f.codec(t, codec, find(all, 0x63a2), strip != nil)
	if err != nil {
		return err
	}
	t.entry = master(0xae, bytes.Join([][]byte{
		unsigned(0xd7, t.number), unsigned(0x73c5, t.number), unsigned(0x83, typ),
		small(0xb9, 1), small(0x88, 1), small(0x55aa, 1), small(0x9c, 1), // enabled, default, forced, laced
		small(0x23e383, 1<<40), t.additions(), // DefaultDuration
		master(0x22b59c, []byte("und")), master(0x86, []byte(codec)), private,
		small(0x56aa, 1<<40), small(0x56bb, 1<<40), // CodecDelay, SeekPreRoll
		media, strip, dolby,
	}, nil))
	return nil
}

// additions announces the transparency beside the frames.
func (t *mkvTrack) additions() []byte {
	if !t.alpha {
		return nil
	}
	return unsigned(0x55ee, 1)
}

// pictures cleans the element of a picture track.
func (f *matroskaFile) pictures(t *mkvTrack, all []node) ([]byte, error) {
	b := find(all, 0xe0)
	inner, err := nodes(b)
	if err != nil {
		return nil, err
	}
	w, _ := number64(find(inner, 0xb0))
	h, _ := number64(find(inner, 0xba))
	if w > 1<<16 || h > 1<<16 {
		w, h = min(w, 1<<31-1), min(h, 1<<31-1)
	}
	if err := checkPixels(int(w), int(h), f.opt); err != nil {
		return nil, err
	}
	f.width, f.height = max(f.width, int(w)), max(f.height, int(h))
	alpha, _ := number64(find(inner, 0x53c0))
	t.alpha = alpha == 1
	out, err := kept(keptVideo, b)
	if err != nil {
		return nil, err
	}
	sphere, err := projection(find(inner, 0x7670))
	if err != nil {
		return nil, err
	}
	return master(0xe0, out, sphere), nil
}

// projection keeps how the picture is turned or laid on a sphere.
func projection(b []byte) ([]byte, error) {
	out, err := kept([]form{{id: 0x7671, most: 2}, {id: 0x7673, real: true}, {id: 0x7674, real: true}, {id: 0x7675, real: true}}, b)
	if err != nil {
		return nil, err
	}
	all, err := nodes(b)
	if err != nil {
		return nil, err
	}
	typ, _ := number64(find(all, 0x7671))
	private := find(all, 0x7672)
	switch {
	case typ > 2: // a mesh
		return nil, errVideoUnusual
	case typ == 1 && len(private) == 20, typ == 2 && len(private) == 12:
		out = append(out, master(0x7672, private)...)
	}
	if len(out) == 0 {
		return nil, nil
	}
	return master(0x7670, out), nil
}

// sound cleans the element of a sound track.
func (f *matroskaFile) sound(all []node) ([]byte, error) {
	out, err := kept(keptAudio, find(all, 0xe1))
	if err != nil {
		return nil, err
	}
	return master(0xe1, out), nil
}

// encodings keeps how the frames are packed: at most once, and not encrypted.
func (f *matroskaFile) encodings(b []byte) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	list, err := nodes(b)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 || list[0].id != 0x6240 {
		return nil, errVideoUnusual
	}
	all, err := nodes(list[0].body)
	if err != nil {
		return nil, err
	}
	if v, ok := number64(find(all, 0x5033)); ok && v != 0 || find(all, 0x5035) != nil {
		return nil, errVideoProtected
	}
	if v, ok := number64(find(all, 0x5032)); ok && v != 1 { // of the frames alone
		return nil, errVideoUnusual
	}
	how, err := nodes(find(all, 0x5034))
	if err != nil {
		return nil, err
	}
	algorithm, _ := number64(find(how, 0x4254))
	settings := find(how, 0x4255)
	compression := unsigned(0x4254, algorithm)
	switch {
	case algorithm == 3 && len(settings) > 0 && len(settings) <= 16: // the same first bytes of every frame
		compression = append(compression, master(0x4255, settings)...)
	case algorithm == 0: // zlib
	default:
		return nil, errVideoUnusual
	}
	return master(0x6d80, master(0x6240, unsigned(0x5031, 0), unsigned(0x5032, 1), unsigned(0x5033, 0), master(0x5034, compression))), nil
}

// dolby keeps the settings of Dolby Vision, without which the colours are wrong.
func (f *matroskaFile) dolby(all []node) (out []byte) {
	for _, c := range all {
		if c.id != 0x41e4 {
			continue
		}
		inner, err := nodes(c.body)
		if err != nil {
			continue
		}
		typ, _ := number64(find(inner, 0x41e7))
		if data := find(inner, 0x41ed); len(data) == 24 && (typ == 0x64766343 || typ == 0x64767643) && out == nil { // dvcC, dvvC
			out = master(0x41e4, unsigned(0x41e7, typ), master(0x41ed, data))
			continue
		}
		f.acc.removed("data beside the frames", int64(len(c.body)))
	}
	return out
}
