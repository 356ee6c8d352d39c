package verify

import "slices"

// needed checks that every item is part of the picture or of its alpha plane,
// that none is made of itself, and that the data in the description is theirs.
func (w *heifWalk) needed(inline []byte) error {
	var queue []int
	reach := func(i int, alpha, tile bool) bool {
		it := &w.items[i]
		if !it.reached {
			it.reached, it.alphaOf = true, alpha
			queue = append(queue, i)
		}
		return it.alphaOf == alpha || tile && madeOf("grid", it.kind)
	}
	planes := map[int][]int{}
	for i, it := range w.items {
		for _, to := range it.auxl {
			planes[to] = append(planes[to], i)
		}
	}
	if w.primary < 0 || w.primary >= len(w.items) {
		return &Finding{"a primary item that is not there", w.base}
	}
	reach(w.primary, false, false)
	at := int64(0)
	for k := 0; k < len(queue); k++ {
		it := w.items[queue[k]]
		for _, part := range it.dimg {
			if !reach(part, it.alphaOf, true) || !madeOf(it.kind, w.items[part].kind) {
				return &Finding{"items that are made of each other wrongly", w.base}
			}
		}
		for _, a := range planes[queue[k]] {
			if len(planes[queue[k]]) > 1 || it.alphaOf || !reach(a, true, false) {
				return &Finding{"more alpha planes than one", w.base}
			}
		}
	}
	for i, it := range w.items {
		if !it.reached {
			return &Finding{"an item that is not part of the picture", w.base}
		}
		if err := w.item(i, inline, &at); err != nil {
			return err
		}
	}
	return found(at != int64(len(inline)) || inline != nil && at == 0, "data that no item accounts for", w.base)
}

// madeOf reports whether an item of one kind may be made of one of another.
func madeOf(whole, part string) bool {
	coded := part == "hvc1" || part == "av01" || part == "avc1"
	switch whole {
	case "grid":
		return coded
	case "iden":
		return coded || part == "grid"
	case "iovl":
		return coded || part == "grid" || part == "iden"
	}
	return false
}

// item checks one item: its kind, its properties, and the recipe of one that is
// made of others.
func (w *heifWalk) item(i int, inline []byte, at *int64) error {
	it := &w.items[i]
	bad := &Finding{"an item of an unexpected form: " + it.kind, w.base}
	count := map[string]int{}
	for _, p := range it.props {
		kind := w.props[p].kind
		if kind == "colr" {
			kind += string(w.props[p].body[:4])
		}
		if count[kind]++; count[kind] > 1 {
			return &Finding{"a property that is there twice: " + w.props[p].kind, w.base}
		}
	}
	if count["auxC"] > 0 && !it.alphaOf || it.auxl != nil && count["auxC"] == 0 || it.prem != nil && it.alphaOf || (it.dimg != nil) != madeOf(it.kind, "av01") {
		return bad
	}
	for _, to := range it.prem {
		if !slices.Contains(w.items[to].auxl, i) && !w.items[to].alphaOf {
			return bad
		}
	}
	config := map[string]string{"hvc1": "hvcC", "av01": "av1C", "avc1": "avcC"}
	for kind, c := range config {
		if count[c] > 0 && it.kind != kind || it.kind == kind && (count[c] != 1 || it.n == 0) {
			return bad
		}
	}
	switch it.kind {
	case "grid", "iovl":
		if !it.inline || it.at != *at || it.n < 8 || it.n > int64(len(inline))-*at {
			return bad
		}
		*at += it.n
		return found(!recipe(it.kind, inline[it.at:*at], len(it.dimg)), bad.Where, bad.Offset)
	case "iden":
		return found(it.n != 0 || len(it.dimg) != 1, bad.Where, bad.Offset)
	}
	return found(config[it.kind] == "" || it.inline, bad.Where, bad.Offset)
}

// recipe reports whether b says how to compose an item of parts, and no more.
func recipe(kind string, b []byte, parts int) bool {
	if b[0] != 0 || b[1] > 1 {
		return false
	}
	size := 2 + 2*int(b[1])
	if kind == "grid" {
		return len(b) == 4+2*size && (int(b[2])+1)*(int(b[3])+1) == parts
	}
	return len(b) == 10+2*size+2*size*parts
}
