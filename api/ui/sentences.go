package ui

import (
	"html"
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
	"unicode/utf8"

	"github.com/wardseal/wardseal/internal/words"
)

// The templates are plain English, and nothing in them is marked for
// translation: the sentences are found where they stand, between the tags, so
// that none can be forgotten. A sentence is text with what stands within it:
// "{from} asks {to}" has two actions of the template, and "You came from
// another site. <a>Go on</a>" an element, whose attributes are the template's
// affair. For every language the templates are rewritten once with the
// sentences that it has.

// Message is what translators translate. Context is "button" for what stands
// on a button, which is an order to the computer in every language.
type Message struct {
	Context, English, Plural string
}

// walker goes through templates.
type walker struct {
	defined func(name string) *parse.Tree
	found   func(Message)
	// put gives a sentence in the language; nil when it is only looked for.
	put func(context, english string) (string, bool)

	button bool   // within one
	bare   string // the element around, where that can hold text only
	still  string // the element around that is in no language
}

// Where in the HTML a list of nodes begins.
type place int

const (
	inText  place = iota
	inTag         // between attributes
	inValue       // of an attribute that people read
	inCode        // of another attribute
)

// inline are the elements that stand within sentences. All others end one.
var inline = map[string]bool{"a": true, "strong": true, "em": true, "span": true, "code": true, "time": true, "small": true, "s": true}

// bares are elements that hold text only.
var bares = map[string]bool{"title": true, "option": true, "textarea": true, "desc": true, "text": true}

// told are the attributes that people read.
var told = map[string]bool{"aria-label": true, "placeholder": true, "alt": true, "title": true, "label": true}

// spoken are the names under which templates hand sentences to each other.
var spoken = map[string]bool{"label": true, "hint": true, "legend": true, "none": true, "title": true, "caption": true, "tell": true, "told": true, "not": true}

// Within a list of nodes one that is not text is written as a rune of its own.
const firstNode = '\uE000'

func flatten(list *parse.ListNode) (string, []parse.Node) {
	var b strings.Builder
	var nodes []parse.Node
	for _, n := range list.Nodes {
		if t, ok := n.(*parse.TextNode); ok {
			b.Write(t.Text)
			continue
		}
		b.WriteRune(firstNode + rune(len(nodes)))
		nodes = append(nodes, n)
	}
	return b.String(), nodes
}

func isNode(r rune) bool { return r >= firstNode && r <= '\uF8FF' }

// part is text, a tag or a node, as it is written.
type part struct {
	raw  string
	name string // of a tag, with "/" before it when it ends an element
	node parse.Node
	all  []parse.Node // those of the list
}

// translate rewrites the templates of a page into a language, and tells of every
// message in them and of the file that it is in.
func translate(t *template.Template, form func(context, english string) (string, bool), found func(file string, m Message)) {
	w := &walker{put: form, defined: func(name string) *parse.Tree {
		if d := t.Lookup(name); d != nil {
			return d.Tree
		}
		return nil
	}}
	all := slices.DeleteFunc(t.Templates(), func(d *template.Template) bool { return d.Tree == nil })
	slices.SortFunc(all, func(a, b *template.Template) int { return int(a.Tree.Root.Pos - b.Tree.Root.Pos) })
	for _, d := range all {
		w.found = func(m Message) { found(d.Tree.ParseName, m) }
		w.button, w.bare, w.still = false, "", ""
		w.list(d.Tree.Root, inText)
	}
}

// Messages are what there is to translate in each file of the templates, in its
// order there.
func Messages() map[string][]Message {
	out := map[string][]Message{}
	for name := range pages() {
		t := template.Must(template.New("").Funcs(functions(nil)).ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html"))
		translate(t, nil, func(file string, m Message) {
			if !slices.Contains(out[file], m) {
				out[file] = append(out[file], m)
			}
		})
	}
	return out
}

// list goes through a list of nodes and rewrites it.
func (w *walker) list(l *parse.ListNode, at place) {
	if l == nil {
		return
	}
	s, nodes := flatten(l)
	l.Nodes = l.Nodes[:0]
	var out string
	switch at {
	case inText:
		out = w.html(s, nodes)
	case inTag:
		out = w.attributes(s, nodes)
	case inValue:
		out = w.value(s, nodes)
	default:
		out = w.code(s, nodes)
	}
	for out != "" {
		i := strings.IndexFunc(out, isNode)
		if i < 0 {
			i = len(out)
		}
		if i > 0 {
			l.Nodes = append(l.Nodes, &parse.TextNode{NodeType: parse.NodeText, Text: []byte(out[:i])})
			out = out[i:]
			continue
		}
		r, n := utf8.DecodeRuneInString(out)
		l.Nodes = append(l.Nodes, nodes[r-firstNode])
		out = out[n:]
	}
}

// node goes through what stands within a node, and has an action say what it
// shows in the language.
func (w *walker) node(n parse.Node, at place) {
	branch := func(b *parse.BranchNode) {
		w.pipe(b.Pipe)
		w.list(b.List, at)
		w.list(b.ElseList, at)
	}
	switch n := n.(type) {
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		w.pipe(n.Pipe)
	case *parse.ActionNode:
		w.pipe(n.Pipe)
		if w.put == nil || len(n.Pipe.Decl) > 0 {
			return
		}
		say := "say"
		if at != inText || w.bare != "" {
			say = "plain"
		}
		n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier(say)}})
	}
}

// pipe looks for sentences among the arguments of a pipeline: what is handed to
// another template under one of the names for it, and what is counted.
func (w *walker) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		f, _ := c.Args[0].(*parse.IdentifierNode)
		for i, a := range c.Args {
			if inner, ok := a.(*parse.PipeNode); ok {
				w.pipe(inner)
			}
			s, ok := a.(*parse.StringNode)
			switch {
			case !ok || f == nil:
			case f.Ident == "count":
				one, many := Counted(s.Text)
				w.found(Message{English: string(one), Plural: string(many)})
			case f.Ident == "text", f.Ident == "fill" && i == 1:
				w.found(Message{English: s.Text})
			case f.Ident == "put":
				if name, ok := c.Args[i-1].(*parse.StringNode); ok && i%2 == 0 && spoken[name.Text] {
					w.found(Message{English: s.Text})
					if w.put != nil {
						c.Args[i] = &parse.PipeNode{NodeType: parse.NodePipe, Cmds: []*parse.CommandNode{{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier("text"), s}}}}
					}
				}
			}
		}
	}
}

// html goes through text with tags.
func (w *walker) html(s string, nodes []parse.Node) string {
	var out strings.Builder
	var run []part
	flush := func() {
		out.WriteString(w.run(run))
		run = nil
	}
	for _, p := range w.parts(s, nodes) {
		name := strings.TrimPrefix(p.name, "/")
		if w.still != "" && p.name != "/"+w.still {
			out.WriteString(w.as(p))
			continue
		}
		if p.name != "" && !inline[name] && p.name == name && untold(p.raw) {
			flush()
			w.still = name
			out.WriteString(w.tag(p))
			continue
		}
		if p.name != "" && p.name == "/"+w.still {
			w.still = ""
		}
		if p.name != "" && !inline[name] || p.node != nil && !w.within(p.node, nil) {
			flush()
			if p.node != nil {
				w.node(p.node, inText)
				out.WriteString(p.raw)
				continue
			}
			out.WriteString(w.tag(p))
			switch {
			case name == "button":
				w.button = p.name == name
			case bares[name] && p.name == name:
				w.bare = name
			case w.bare == name:
				w.bare = ""
			}
			continue
		}
		run = append(run, p)
	}
	flush()
	return out.String()
}

// untold reports whether a tag says that what it holds is in no language: a
// code, or what an organisation wrote itself.
func untold(tag string) bool { return strings.Contains(tag, ` translate="no"`) }

// as gives a part as it is.
func (w *walker) as(p part) string {
	if p.node != nil {
		w.node(p.node, inText)
	}
	if p.name != "" {
		return w.tag(p)
	}
	return p.raw
}

// whole gives an element as it is.
func (w *walker) whole(e element) string {
	out := w.as(e.part)
	for _, h := range e.held {
		out += w.whole(h)
	}
	return out + e.end
}

// tag goes through a tag's attributes.
func (w *walker) tag(p part) string {
	if strings.HasPrefix(p.name, "/") || p.name == "!" {
		return p.raw
	}
	return "<" + p.name + w.attributes(p.raw[1+len(p.name):], p.all)
}

// parts takes HTML apart.
func (w *walker) parts(s string, nodes []parse.Node) []part {
	var out []part
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case isNode(r):
			out = append(out, part{raw: s[:n], node: nodes[r-firstNode]})
		case r == '<':
			name := tagName.FindString(s[1:])
			if n = tagEnd(s); name == "" {
				name = "!"
			}
			out = append(out, part{raw: s[:n], name: name, all: nodes})
		default:
			if n = strings.IndexFunc(s, func(r rune) bool { return r == '<' || isNode(r) }); n < 0 {
				n = len(s)
			}
			out = append(out, part{raw: s[:n]})
		}
		s = s[n:]
	}
	return out
}

var tagName = regexp.MustCompile(`^/?[a-z][a-z0-9]*`)

// tagEnd is where the tag ends that s begins with.
func tagEnd(s string) int {
	quoted := false
	for i, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '>' && !quoted:
			return i + 1
		}
	}
	return len(s)
}

var attribute = regexp.MustCompile(`([a-z0-9-]+)="([^"]*)"`)

// attributes goes through those of a tag.
func (w *walker) attributes(s string, nodes []parse.Node) string {
	var out strings.Builder
	for s != "" {
		m := attribute.FindStringSubmatchIndex(s)
		if m == nil {
			m = []int{len(s), len(s)}
		}
		for _, r := range s[:m[0]] {
			if isNode(r) {
				w.node(nodes[r-firstNode], inTag)
			}
		}
		out.WriteString(s[:m[0]])
		if m[0] < m[1] {
			out.WriteString(s[m[0]:m[4]])
			if told[s[m[2]:m[3]]] {
				out.WriteString(w.value(s[m[4]:m[5]], nodes))
			} else {
				out.WriteString(w.code(s[m[4]:m[5]], nodes))
			}
			out.WriteByte('"')
		}
		s = s[m[1]:]
	}
	return out.String()
}

// value goes through the value of an attribute that people read.
func (w *walker) value(s string, nodes []parse.Node) string {
	bare, button := w.bare, w.button
	w.bare, w.button = "attribute", false
	defer func() { w.bare, w.button = bare, button }()
	var run []part
	for _, p := range w.parts(s, nodes) {
		if p.name != "" {
			p.name = "" // a "<" in text
		}
		run = append(run, p)
	}
	return w.run(run)
}

// code goes through the value of another attribute.
func (w *walker) code(s string, nodes []parse.Node) string {
	for _, r := range s {
		if isNode(r) {
			w.node(nodes[r-firstNode], inCode)
		}
	}
	return s
}

// within reports whether a node can stand within a sentence: it sets no
// variable, and holds no element that ends one.
func (w *walker) within(n parse.Node, seen []string) bool {
	lists := func(ls ...*parse.ListNode) bool {
		for _, l := range ls {
			if l == nil {
				continue
			}
			s, nodes := flatten(l)
			for _, p := range w.parts(s, nodes) {
				if p.name != "" && !inline[strings.TrimPrefix(p.name, "/")] || p.node != nil && !w.within(p.node, seen) {
					return false
				}
			}
		}
		return true
	}
	switch n := n.(type) {
	case *parse.ActionNode:
		return len(n.Pipe.Decl) == 0
	case *parse.IfNode:
		return lists(n.List, n.ElseList)
	case *parse.WithNode:
		return lists(n.List, n.ElseList)
	case *parse.RangeNode:
		return lists(n.List, n.ElseList)
	case *parse.TemplateNode:
		for _, name := range seen {
			if name == n.Name {
				return false
			}
		}
		seen = append(seen, n.Name)
		t := w.defined(n.Name)
		return t != nil && lists(t.Root)
	}
	return false
}

// element is a part with what it holds, when it is an inline element.
type element struct {
	part
	end  string
	held []element
}

// run gives text and what stands within it.
func (w *walker) run(parts []part) string {
	held, rest := nest(parts)
	out := w.elements(held)
	if len(rest) > 0 { // a tag whose other half is in another list
		out += w.tag(rest[0]) + w.run(rest[1:])
	}
	return out
}

// nest puts the parts of elements into them. It stops at a tag without its
// other half and gives back what is left.
func nest(parts []part) (out []element, rest []part) {
	for i := 0; i < len(parts); i++ {
		p := parts[i]
		if p.name == "" {
			out = append(out, element{part: p})
			continue
		}
		end, depth := -1, 0
		for j := i; j < len(parts) && p.name[0] != '/'; j++ {
			switch parts[j].name {
			case p.name:
				depth++
			case "/" + p.name:
				if depth--; depth == 0 && end < 0 {
					end = j
				}
			}
		}
		if end < 0 {
			return out, parts[i:]
		}
		held, more := nest(parts[i+1 : end])
		if len(more) > 0 {
			return out, parts[i:]
		}
		out = append(out, element{part: p, end: parts[end].raw, held: held})
		i = end
	}
	return out, nil
}

// elements finds the sentence that elements make, or those within each of
// them, and gives them in the language.
func (w *walker) elements(es []element) string {
	lead, trail := "", ""
	for len(es) > 0 && es[0].blank() {
		lead, es = lead+es[0].raw, es[1:]
	}
	for len(es) > 0 && es[len(es)-1].blank() {
		trail, es = es[len(es)-1].raw+trail, es[:len(es)-1]
	}
	if !lettered(es) {
		out := lead
		for _, e := range es {
			switch {
			case e.node != nil, untold(e.raw):
				out += w.whole(e)
			case e.name != "":
				out += w.tag(e.part) + w.elements(e.held) + e.end
			default:
				out += e.raw
			}
		}
		return out + trail
	}
	m := sentence{stands: map[string]string{}}
	m.add(w, es)
	text := m.form.String()
	english := strings.TrimSpace(text)
	if strings.HasPrefix(text, " ") {
		lead += " "
	}
	if strings.HasSuffix(text, " ") {
		trail = " " + trail
	}
	context := ""
	if w.button {
		context = "button"
	}
	w.found(Message{Context: context, English: english})
	if w.put == nil {
		return ""
	}
	if form, ok := w.put(context, english); ok {
		return lead + m.fill(form) + trail
	}
	if w.bare != "" {
		return lead + m.fill(english) + trail
	}
	return lead + `<span lang="en">` + m.fill(english) + `</span>` + trail
}

func (e element) blank() bool { return e.name == "" && e.node == nil && strings.TrimSpace(e.raw) == "" }

// lettered reports whether there is something to translate outside of all
// elements.
func lettered(es []element) bool {
	for _, e := range es {
		if e.name == "" && e.node == nil && words.Letters(html.UnescapeString(e.raw)) {
			return true
		}
	}
	return false
}

// sentence is one that is being made of elements.
type sentence struct {
	form   strings.Builder
	stands map[string]string // for {name}, <name> and </name>
}

var spaces = regexp.MustCompile(`[ \n\t]+`)

func (m *sentence) add(w *walker, es []element) {
	for _, e := range es {
		switch {
		case e.node != nil:
			name := m.free("{", gapName(e.node), e.raw)
			w.node(e.node, inText)
			m.form.WriteString("{" + name + "}")
		case e.name != "" && untold(e.raw):
			m.form.WriteString("{" + m.free("{", e.name, w.whole(e)) + "}")
		case e.name != "":
			name := m.free("<", e.name, w.tag(e.part))
			m.stands["</"+name+">"] = e.end
			m.form.WriteString("<" + name + ">")
			m.add(w, e.held)
			m.form.WriteString("</" + name + ">")
		default:
			m.form.WriteString(spaces.ReplaceAllString(html.UnescapeString(e.raw), " "))
		}
	}
}

// free finds a name that is free in this sentence, and has it stand for raw.
func (m *sentence) free(mark, name, raw string) string {
	end := map[string]string{"{": "}", "<": ">"}[mark]
	for i, try := 2, name; ; i++ {
		if _, taken := m.stands[mark+try+end]; !taken {
			m.stands[mark+try+end] = raw
			return try
		}
		try = name + strconv.Itoa(i)
	}
}

// held is what stands within a sentence: a gap, or half of an element.
var held = regexp.MustCompile(`\{[^{}]*\}|</?[a-z][a-z0-9]*>`)

// fill puts into a form what stands within it. All else in it is text.
func (m *sentence) fill(form string) string {
	var b strings.Builder
	for form != "" {
		at := held.FindStringIndex(form)
		if at == nil {
			at = []int{len(form), len(form)}
		}
		b.WriteString(html.EscapeString(form[:at[0]]))
		b.WriteString(m.stands[form[at[0]:at[1]]])
		form = form[at[1]:]
	}
	return b.String()
}

// gapName names what a node shows, for translators.
func gapName(n parse.Node) string {
	a, ok := n.(*parse.ActionNode)
	if !ok {
		return "part" // there or not, or one of several
	}
	name := ""
	var look func(n parse.Node)
	look = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.FieldNode:
			name = n.Ident[len(n.Ident)-1]
		case *parse.VariableNode:
			name = strings.TrimPrefix(n.Ident[len(n.Ident)-1], "$")
		case *parse.PipeNode:
			for _, c := range n.Cmds {
				for _, a := range c.Args {
					look(a)
				}
			}
		}
	}
	look(a.Pipe)
	if name == "" {
		return "it"
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// fits reports whether a translation has what its English has within it, each
// as often, and the elements well nested.
func fits(english, form string) bool {
	count := func(s string) (map[string]int, bool) {
		n := map[string]int{}
		var open []string
		for _, h := range held.FindAllString(s, -1) {
			n[h]++
			switch {
			case strings.HasPrefix(h, "</"):
				if len(open) == 0 || open[len(open)-1] != h[2:] {
					return nil, false
				}
				open = open[:len(open)-1]
			case h[0] == '<':
				open = append(open, h[1:])
			}
		}
		return n, len(open) == 0
	}
	want, _ := count(english)
	has, ok := count(form)
	if !ok || len(want) != len(has) {
		return false
	}
	for h, n := range has {
		if want[h] == 0 || h[0] == '<' && want[h] != n {
			return false
		}
	}
	return strings.Count(english, "[") == strings.Count(form, "[")
}
