package sanitise

// mkvCluster is a cluster as it will be written.
type mkvCluster struct {
	time  uint64 // ticks, as in the file
	first int    // of its pieces
	bytes int64  // of its pieces
	cue   int64  // ticks from time to its first key frame of the first picture track
	track uint64 // of the key frame; 0 when there is none
}

// Elements of a cluster (RFC 9559, section 5.1.3).
const (
	idTimestamp      = 0xe7
	idSimpleBlock    = 0xa3
	idBlockGroup     = 0xa0
	idBlock          = 0xa1
	idBlockDuration  = 0x9b
	idReference      = 0xfb
	idDiscard        = 0x75a2
	idBlockAdditions = 0x75a1
	idEncryptedBlock = 0xaf
)

// cluster walks one cluster inside a segment that ends at limit, and gives
// where the next element of the segment starts. A cluster of unknown size ends
// where an element of the segment begins.
func (f *matroskaFile) cluster(e element, limit int64) (next int64, err error) {
	if !f.hasTracks || len(f.clusters) >= maxClusters {
		return 0, errVideoUnusual
	}
	end := limit
	if e.n >= 0 {
		end = e.end()
	}
	c := &mkvCluster{first: len(f.pieces)}
	f.clusters = append(f.clusters, *c)
	c = &f.clusters[len(f.clusters)-1]
	timed, last := false, int64(0) // last tick of a kept block, from time
	at := e.body
	for at < end {
		b, err := f.element(at, end)
		if err != nil {
			return 0, err
		}
		if e.n < 0 && ofSegment(b.id) {
			break
		}
		if b.n < 0 {
			return 0, errVideoDamaged
		}
		until := int64(0)
		switch b.id {
		case idTimestamp:
			v, err := f.in.film(b.body, min(b.n, 9))
			if err != nil {
				return 0, err
			}
			t, ok := number64(v)
			if b.n > 8 || !ok && b.n > 0 || t > maxTime || timed && t != c.time {
				return 0, errVideoDamaged
			}
			c.time, timed = t, true
		case idSimpleBlock:
			until, err = f.simpleBlock(c, b)
		case idBlockGroup:
			until, err = f.blockGroup(c, b)
		case idEncryptedBlock:
			err = errVideoProtected
		case 0xa7, 0xab, 0x5854, idVoid, idCRC: // position, size of the one before, silent tracks
		default:
			f.acc.removed("unknown or unneeded element", b.n)
		}
		if err != nil {
			return 0, err
		}
		last = max(last, until)
		at = b.end()
	}
	if c.bytes == 0 {
		f.clusters = f.clusters[:len(f.clusters)-1]
		return at, nil
	}
	if !timed {
		return 0, errVideoDamaged
	}
	f.last = max(f.last, c.time+uint64(last))
	if len(f.clusters) == 1 || c.time < f.base {
		f.base = c.time
	}
	return at, nil
}

// ofSegment reports whether an element cannot be inside a cluster, so that it
// ends one of unknown size.
func ofSegment(id uint32) bool {
	switch id {
	case idEBML, idSegment, idSeekHead, idInfo, idTracks, idCues, idCluster, idTags, idChapters, idAttachments:
		return true
	}
	return false
}

// keep appends a range of the source to a cluster.
func (f *matroskaFile) keep(c *mkvCluster, off, n int64) error {
	c.bytes += n
	if k := len(f.pieces) - 1; k >= c.first && f.pieces[k].off >= 0 && f.pieces[k].off+f.pieces[k].n == off {
		f.pieces[k].n += n
		return nil
	}
	return f.piece(extent{off, n})
}

// write appends bytes to a cluster.
func (f *matroskaFile) write(c *mkvCluster, b []byte) error {
	c.bytes += int64(len(b))
	f.literals = append(f.literals, b)
	return f.piece(extent{-int64(len(f.literals)), int64(len(b))})
}

func (f *matroskaFile) piece(p extent) error {
	if len(f.pieces) >= maxPieces {
		return errVideoPieces
	}
	f.pieces = append(f.pieces, p)
	return nil
}

// block is the head of a block: what track, when, and how frames are laced.
type block struct {
	track *mkvTrack
	rel   int64 // ticks from the cluster's time
	flags byte
	at    int64 // of the flags
	frame int64 // where the frames start
	end   int64
}

// blockHead reads the head of a block. Its track is nil when no such is kept.
func (f *matroskaFile) blockHead(e element) (block, error) {
	h, err := f.in.film(e.body, min(e.n, 11))
	if err != nil {
		return block{}, err
	}
	number, n, ok := vint(h)
	if !ok || len(h) < n+3 {
		return block{}, errVideoDamaged
	}
	b := block{rel: int64(int16(be.Uint16(h[n:]))), flags: h[n+2], at: e.body + int64(n) + 2, frame: e.body + int64(n) + 3, end: e.end()}
	for _, t := range f.tracks {
		if t.number == number {
			t.bytes += e.n
			if t.dropped == "" {
				t.blocks++
				b.track = t
			}
			return b, nil
		}
	}
	f.acc.removed("frames of no track", e.n)
	return b, nil
}

// Flags of a block (RFC 9559, section 10).
const (
	flagKey       = 0x80
	flagsReserved = 0x70
	flagsLacing   = 0x06
	flagsSimple   = 0x01 | flagKey // only in a SimpleBlock
)

func (f *matroskaFile) simpleBlock(c *mkvCluster, e element) (until int64, err error) {
	b, err := f.blockHead(e)
	if err != nil || b.track == nil {
		return 0, err
	}
	frames, err := f.frames(b)
	if err != nil {
		return 0, err
	}
	f.cue(c, b, b.flags&flagKey != 0)
	return b.rel + b.track.ticks(frames, f.scale), f.keepBlock(c, e.at, b, flagsReserved)
}

// keepBlock copies from an offset on up to the end of a block, with the flags
// that must not be set cleared.
func (f *matroskaFile) keepBlock(c *mkvCluster, from int64, b block, not byte) error {
	if b.flags&not == 0 {
		return f.keep(c, from, b.end-from)
	}
	f.acc.removed("unknown or unneeded element", 1)
	if err := f.keep(c, from, b.at-from); err != nil {
		return err
	}
	if err := f.write(c, []byte{b.flags &^ not}); err != nil {
		return err
	}
	return f.keep(c, b.frame, b.end-b.frame)
}

// cue notes the first key frame of the first picture track of a cluster.
func (f *matroskaFile) cue(c *mkvCluster, b block, key bool) {
	if key && c.track == 0 && b.track == f.firstPictures() {
		c.cue, c.track = b.rel, b.track.number
	}
}

func (f *matroskaFile) firstPictures() *mkvTrack {
	for _, t := range f.tracks {
		if t.video && t.dropped == "" {
			return t
		}
	}
	return nil
}

// maxGroup is the most elements that one block group may have.
const maxGroup = 64

// blockGroup keeps a block with what is needed to play it.
func (f *matroskaFile) blockGroup(c *mkvCluster, e element) (until int64, err error) {
	var all []element
	var b block
	found, key, long := false, true, uint64(0)
	for at := e.body; at < e.end(); {
		x, err := f.element(at, e.end())
		if err != nil {
			return 0, err
		}
		if x.n < 0 || len(all) >= maxGroup {
			return 0, errVideoDamaged
		}
		all = append(all, x)
		at = x.end()
		switch x.id {
		case idBlock:
			if found {
				return 0, errVideoDamaged
			}
			found = true
			b, err = f.blockHead(x)
		case idReference:
			key = false
		case idBlockDuration:
			var v []byte
			v, err = f.in.film(x.body, min(x.n, 9))
			long, _ = number64(v)
		case idEncryptedBlock:
			err = errVideoProtected
		}
		if err != nil {
			return 0, err
		}
	}
	if !found {
		return 0, errVideoDamaged
	}
	if b.track == nil {
		return 0, nil
	}
	if long > maxTime {
		return 0, errVideoDamaged
	}
	frames, err := f.frames(b)
	if err != nil {
		return 0, err
	}
	f.cue(c, b, key)
	until = b.rel + b.track.ticks(frames, f.scale)
	if long > 0 {
		until = b.rel + int64(long)
	}
	return until, f.keepGroup(c, e, b, all)
}

// keepGroup copies a block group whole when all in it is needed, and else
// what is needed.
func (f *matroskaFile) keepGroup(c *mkvCluster, e element, b block, all []element) error {
	var kept []element
	size := int64(0)
	for _, x := range all {
		ok := false
		switch x.id {
		case idBlock:
			ok = true
		case idBlockDuration, idReference, idDiscard:
			ok = x.n >= 1 && x.n <= 8
		case idBlockAdditions:
			if b.track.alpha {
				if err := f.transparency(x); err != nil {
					return err
				}
				ok = true
			}
		}
		if ok {
			kept = append(kept, x)
			size += x.end() - x.at
		} else {
			f.acc.removed("data beside the frames", x.n)
		}
	}
	whole := len(kept) == len(all) && b.flags&(flagsReserved|flagsSimple) == 0
	if whole {
		return f.keep(c, e.at, e.end()-e.at)
	}
	if err := f.write(c, appendHead(nil, idBlockGroup, size)); err != nil {
		return err
	}
	for _, x := range kept {
		var err error
		if x.id == idBlock {
			err = f.keepBlock(c, x.at, b, flagsReserved|flagsSimple)
		} else {
			err = f.keep(c, x.at, x.end()-x.at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// transparency accepts the additions of a block that hold its transparency and
// nothing else: to leave them out would change the picture.
func (f *matroskaFile) transparency(e element) error {
	more, err := f.element(e.body, e.end())
	if err != nil {
		return err
	}
	if more.id != 0xa6 || more.n < 0 || more.end() != e.end() {
		return errVideoUnusual
	}
	data := false
	for at := more.body; at < more.end(); {
		x, err := f.element(at, more.end())
		if err != nil {
			return err
		}
		switch {
		case x.id == 0xa5 && x.n >= 0 && !data: // BlockAdditional
			data = true
		case x.id == 0xee && x.n == 1: // BlockAddID
			v, err := f.in.film(x.body, 1)
			if err != nil {
				return err
			}
			if v[0] != 1 {
				return errVideoUnusual
			}
		default:
			return errVideoUnusual
		}
		at = x.end()
	}
	if !data {
		return errVideoUnusual
	}
	return nil
}
