package verify

import "slices"

// tiffPage is what the tags of a page say of its strips.
type tiffPage struct {
	compression    int64
	width, height  int64
	wide, high     int64 // of a strip or tile
	tiled          bool
	bits, samples  int64 // of one plane
	planes         int64
	chroma         [2]int64 // subsampling where it counts; otherwise 0
	offsets, sizes []int64
	faxOptions     int64
	swapped        bool // the first bit of a fax is the lowest
	tables         []byte
	profile        []byte
}

// tiffRule says which values a tag may have: its type, how many, and the least
// and most of each. A count of 0 is checked by newTIFFPage, which knows what it
// hangs on.
type tiffRule struct {
	typ         uint16
	count       int
	least, most int64
}

const anyLong = 1<<32 - 1

var tiffRules = map[uint16]tiffRule{
	254: {4, 1, 0, 0},                                // a page of its own
	256: {4, 1, 1, 1 << 30}, 257: {4, 1, 1, 1 << 30}, // size
	258: {3, 0, 1, 32},      // depth
	259: {3, 1, 1, 65535},   // compression
	262: {3, 1, 0, 9},       // photometric
	266: {3, 1, 2, 2},       // bits the other way round
	273: {4, 0, 8, anyLong}, // strips
	274: {3, 1, 2, 8},       // orientation
	277: {3, 1, 1, 16},      // samples
	278: {4, 1, 1, 1 << 30}, // rows per strip
	279: {4, 0, 1, anyLong},
	282: {5, 1, 1, anyLong}, 283: {5, 1, 1, anyLong}, 296: {3, 1, 1, 1}, // resolution
	284: {3, 1, 2, 2},                                // planes
	292: {4, 1, 1, 7},                                // fax
	317: {3, 1, 2, 3},                                // predictor
	318: {5, 2, 0, anyLong}, 319: {5, 6, 0, anyLong}, // white point, primaries
	320: {3, 0, 0, 65535},                                                                              // palette
	322: {4, 1, 1, 1 << 30}, 323: {4, 1, 1, 1 << 30}, 324: {4, 0, 8, anyLong}, 325: {4, 0, 1, anyLong}, // tiles
	338: {3, 0, 0, 2},                                                                      // extra samples
	339: {3, 0, 2, 3},                                                                      // sample format
	347: {7, 0, 0, 0},                                                                      // JPEG tables
	529: {5, 3, 0, anyLong}, 530: {3, 2, 1, 4}, 531: {3, 1, 2, 2}, 532: {5, 6, 0, anyLong}, // YCbCr
	34675: {7, 0, 0, 0}, // colour profile
}

// newTIFFPage checks every tag of a page and draws the strips' sizes from them.
func newTIFFPage(tags tiffTags, at int64) (*tiffPage, error) {
	for tag, v := range tags {
		rule, ok := tiffRules[tag]
		if !ok {
			return nil, &Finding{"a tag that rendering does not need", at}
		}
		count := len(v.n)
		if rule.typ == 5 {
			count /= 2
		}
		outside := func(n int64) bool { return n < rule.least || n > rule.most }
		if v.typ != rule.typ || rule.count != 0 && count != rule.count || slices.ContainsFunc(v.n, outside) {
			return nil, &Finding{"a tag of an unexpected type, count or value", at}
		}
	}
	for _, must := range []uint16{254, 256, 257, 258, 259, 262, 277, 282, 283, 296} {
		if _, ok := tags[must]; !ok {
			return nil, &Finding{"a page without a tag that it must have", at}
		}
	}
	p := &tiffPage{width: tags.one(256, 0), height: tags.one(257, 0), compression: tags.one(259, 0), samples: tags.one(277, 0), planes: 1, bits: tags.one(258, 0)}
	p.faxOptions, p.swapped = tags.one(292, 0), tags.one(266, 1) == 2
	p.tables, p.profile = tags[347].body, tags[34675].body
	if err := p.meaning(tags, at); err != nil {
		return nil, err
	}
	if tags.one(284, 1) == 2 {
		p.planes, p.samples = p.samples, 1
	}
	return p, p.places(tags, at)
}

// meaning checks the tags that hang on each other.
func (p *tiffPage) meaning(tags tiffTags, at int64) error {
	photometric := tags.one(262, 0)
	base, ok := map[int64]int64{0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}[photometric]
	has := func(tag uint16) bool { _, ok := tags[tag]; return ok }
	fax := p.compression >= 2 && p.compression <= 4
	packed := p.compression == 5 || p.compression == 8 || p.compression == 32946
	same := func(tag uint16, count int64) bool { // so many equal numbers, or none at all
		n := tags[tag].n
		return n == nil || int64(len(n)) == count && !slices.ContainsFunc(n, func(v int64) bool { return v != n[0] })
	}
	for _, rule := range []struct {
		broken bool
		where  string
	}{
		{!ok || p.samples < base, "colours of an unknown kind"},
		{!fax && !packed && p.compression != 1 && p.compression != 7 && p.compression != 32773, "an unknown compression"},
		{!same(258, p.samples) || p.bits > 16 && p.bits < 32, "samples of different depths"},
		{!same(339, p.samples), "samples of different kinds"},
		{has(338) && int64(len(tags[338].n)) != p.samples-base, "extra samples that are not there"},
		{has(320) != (photometric == 3) || has(320) && (p.bits > 16 || len(tags[320].n) != 3<<p.bits), "a palette of wrong length or place"},
		{has(266) && !fax && p.compression != 1, "a bit order without a use"},
		{has(292) && p.compression != 3, "fax options without a fax"},
		{has(317) && !packed, "a predictor without a use"},
		{has(347) && p.compression != 7, "JPEG tables without a JPEG"},
		{photometric != 6 && (has(529) || has(530) || has(531)), "subsampling without chroma"},
		{has(532) && photometric != 2 && photometric != 6, "reference levels without a use"},
		{!neutral(tags[282].n, tags[283].n), "a resolution that says more than the shape"},
		{has(284) && p.samples == 1, "planes without a use"},
	} {
		if rule.broken {
			return &Finding{rule.where, at}
		}
	}
	if photometric == 6 && p.samples == 3 && p.compression != 7 && tags.one(284, 1) == 1 {
		p.chroma = [2]int64{2, 2}
		if sub := tags[530].n; sub != nil {
			p.chroma = [2]int64(sub)
		}
	}
	return nil
}

// places takes where the strips or tiles lie.
func (p *tiffPage) places(tags tiffTags, at int64) error {
	_, strips := tags[278]
	_, tiles := tags[322]
	p.tiled = tiles
	p.wide, p.high, p.offsets, p.sizes = p.width, tags.one(278, 0), tags[273].n, tags[279].n
	other := []uint16{323, 324, 325}
	if tiles {
		p.wide, p.high, p.offsets, p.sizes = tags.one(322, 0), tags.one(323, 0), tags[324].n, tags[325].n
		other = []uint16{273, 278, 279}
	}
	for _, tag := range other {
		if _, ok := tags[tag]; ok {
			return &Finding{"both strips and tiles", at}
		}
	}
	if strips == tiles || p.high < 1 || !tiles && p.high > p.height {
		return &Finding{"neither strips nor tiles", at}
	}
	n := p.perPlane() * p.planes
	return found(int64(len(p.offsets)) != n || int64(len(p.sizes)) != n, "another number of strips than the picture has", at)
}

func (p *tiffPage) perPlane() int64 {
	return ((p.width-1)/p.wide + 1) * ((p.height-1)/p.high + 1)
}

// rowsOf is the number of rows in the strip or tile of an index.
func (p *tiffPage) rowsOf(i int) int64 {
	if k := int64(i) % p.perPlane(); !p.tiled && k == p.perPlane()-1 {
		return p.height - k*p.high
	}
	return p.high
}

// bytesOf is what so many rows unpack to.
func (p *tiffPage) bytesOf(rows int64) int64 {
	perRow := p.wide * p.samples * p.bits
	if h, v := p.chroma[0], p.chroma[1]; h > 0 {
		perRow = ((p.wide-1)/h + 1) * (h*v + 2) * p.bits
		rows = (rows-1)/v + 1
	}
	return ((perRow-1)/8 + 1) * rows
}

// neutral reports whether a resolution is the one of square pixels, or says
// the shape of others and no more.
func neutral(x, y []int64) bool {
	if x[1] != 1 || y[1] != 1 {
		return false
	}
	return x[0] == 72 && y[0] == 72 || x[0] != y[0] && onlyShape(x[0], y[0])
}
