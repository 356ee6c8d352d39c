package sanitise

import (
	"github.com/wardseal/wardseal/imaging/splice"
)

// writer stands where the format demands the name of a program. Some players
// do not take an empty one.
const writer = "wardseal"

// Widths in bytes of what is written before its value is known, or so that a
// size does not depend on it.
const (
	sizeWidth = 8 // of the segment's size
	seekWidth = 4 // of positions in front of the clusters
	cueWidth  = 8 // of the clusters' positions
)

// layout writes the file: header, segment, where things are, information,
// tracks, index, clusters. The index goes first so that a player that reads
// over a network need not look for it.
func (f *matroskaFile) layout(out *splice.Splice) {
	header := master(idEBML, unsigned(0x4286, 1), unsigned(0x42f7, 1), unsigned(0x42f2, 4), unsigned(0x42f3, 8),
		master(idDocType, []byte(f.docType)), unsigned(0x4287, 4), unsigned(0x4285, 2))
	var tracks []byte
	for _, t := range f.tracks {
		if t.dropped == "" {
			tracks = append(tracks, t.entry...)
		}
	}
	info := master(idInfo, unsigned(0x2ad7b1, f.scale), master(0x4d80, []byte(writer)), master(0x5741, []byte(writer)), floating(0x4489, f.length()))
	tracks = master(idTracks, tracks)
	cues := f.index(0)
	where := seekHead(0, len(info), len(tracks), len(cues))
	front := int64(len(where) + len(info) + len(tracks) + len(cues))
	where = seekHead(len(where), len(info), len(tracks), len(cues))
	cues = f.index(front)

	size := front
	for _, c := range f.clusters {
		size += c.size(f.base)
	}
	out.Literal(append(appendSize(appendID(header, idSegment), size, sizeWidth), where...))
	out.Literal(info)
	out.Literal(tracks)
	out.Literal(cues)
	for i, c := range f.clusters {
		out.Literal(c.head(f.base))
		last := len(f.pieces)
		if i+1 < len(f.clusters) {
			last = f.clusters[i+1].first
		}
		for _, p := range f.pieces[c.first:last] {
			if p.off < 0 {
				out.Literal(f.literals[-p.off-1])
			} else {
				out.Copy(p.off, p.n)
			}
		}
	}
}

// head is all of a cluster before its blocks.
func (c mkvCluster) head(base uint64) []byte {
	width := numberBytes(c.time - base)
	b := appendHead(make([]byte, 0, 24), idCluster, int64(2+width)+c.bytes)
	return appendUnsigned(b, idTimestamp, c.time-base, width)
}

// size is that of a whole cluster.
func (c mkvCluster) size(base uint64) int64 {
	n := int64(2+numberBytes(c.time-base)) + c.bytes
	return int64(4+sizeBytes(n)) + n
}

// length is that of the video in ticks: what the file says if it can be, and
// else as far as its blocks go.
func (f *matroskaFile) length() float64 {
	least := float64(f.last - f.base)
	if d := f.duration; d >= least && d-least <= 10e9/float64(f.scale) {
		return d
	}
	return least
}

// index points to the first key frame of every cluster. The clusters start
// front bytes into the segment; the length does not depend on it.
func (f *matroskaFile) index(front int64) []byte {
	var points, point, to []byte
	for _, c := range f.clusters {
		if t := int64(c.time-f.base) + c.cue; c.track != 0 && t >= 0 {
			to = appendUnsigned(to[:0], 0xf7, c.track, numberBytes(c.track))
			to = appendUnsigned(to, 0xf1, uint64(front), cueWidth)
			point = appendUnsigned(point[:0], 0xb3, uint64(t), numberBytes(uint64(t)))
			point = appendMaster(point, 0xb7, to)
			points = appendMaster(points, 0xbb, point)
		}
		front += c.size(f.base)
	}
	if points == nil {
		return nil
	}
	return master(idCues, points)
}

// seekHead says where information, tracks and index are, which follow it.
func seekHead(own, info, tracks, cues int) []byte {
	seek := func(id uint32, at int) []byte {
		return master(0x4dbb, master(0x53ab, appendID(nil, id)), appendUnsigned(nil, 0x53ac, uint64(at), seekWidth))
	}
	all := append(seek(idInfo, own), seek(idTracks, own+info)...)
	if cues > 0 {
		all = append(all, seek(idCues, own+info+tracks)...)
	}
	return master(idSeekHead, all)
}
