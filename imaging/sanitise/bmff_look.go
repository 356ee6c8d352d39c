package sanitise

import "io"

// look says how to look into the samples of one sample description.
type look struct {
	codec  *coding
	length int  // of the lengths before units; 0 where start codes divide them
	dolby  bool // Dolby Vision
	scan   scan // of a codec without units
	alpha  bool // the alpha plane of another track
}

// codecs are the sample entries whose samples are NAL units.
var codecs = map[string]*coding{
	"avc1": codingAVC, "avc2": codingAVC, "avc3": codingAVC, "avc4": codingAVC, "dva1": codingAVC, "dvav": codingAVC,
	"hvc1": codingHEVC, "hev1": codingHEVC, "hvc2": codingHEVC, "hev2": codingHEVC, "dvh1": codingHEVC, "dvhe": codingHEVC, "lhv1": codingHEVC, "lhe1": codingHEVC,
	"vvc1": codingVVC, "vvi1": codingVVC,
}

// units cleans a decoder configuration of NAL units.
func (f *bmffFile) units(l *look, c child) (clean []byte, err error) {
	n := 0
	switch {
	case c.typ == "avcC" && l.codec == codingAVC:
		clean, n, err = configAVC(c.body, f.acc)
	case c.typ == "hvcC" && l.codec == codingHEVC:
		clean, n, err = configHEVC(c.body, 23, f.acc)
	case c.typ == "lhvC" && l.codec == codingHEVC:
		clean, n, err = configHEVC(c.body, 6, f.acc)
	case c.typ == "vvcC" && l.codec == codingVVC:
		clean, n, err = configVVC(c.body, f.acc)
	default:
		return nil, errVideoUnusual
	}
	if err == nil && l.length != 0 && l.length != n {
		err = errVideoUnusual
	}
	l.length = n
	return clean, err
}

// scrub walks the samples of the pictures and gives the source with what was
// written between the pictures overlaid.
func (f *bmffFile) scrub() (io.ReaderAt, error) {
	s := newScrubber(f.ctx, f.src, f.size, f.acc)
	for _, t := range f.tracks {
		if len(t.looks) == 0 {
			continue
		}
		err := t.walk(func(c run) error {
			if c.description < 1 || int(c.description) > len(t.looks) {
				return errVideoDamaged
			}
			l, off := t.looks[c.description-1], c.off
			if l.codec == nil && l.scan == nil {
				return nil
			}
			for i := range c.count {
				n := int64(t.fixed())
				if n == 0 {
					n = c.size(c.first + i)
				}
				if err := s.sample(l, off, n); err != nil {
					return err
				}
				off += n
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return s.source()
}

// sample looks through the n bytes of one sample.
func (s *scrubber) sample(l look, off, n int64) error {
	if s.left -= n; s.left < 0 {
		return errVideoUnusual // samples that overlay one another
	}
	if l.codec != nil && l.length == 0 {
		return s.stream(l.codec, off, n)
	}
	if l.codec != nil {
		return s.units(l.codec, l.length, l.dolby, off, n)
	}
	return l.scan(s, off, n)
}
