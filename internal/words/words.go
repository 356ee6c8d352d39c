// Package words is what people are told. The English sentence is the key to
// its translation, as in gettext; package api/ui has the languages.
package words

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is what people are told: an English sentence, and what stands in its
// gaps. A constant in its place is a Text, so an ordinary string is data, which
// nobody translates. A Text with gaps is made by Say, Count or Data.
//
// It is put into a language when it is shown, and not before: what makes
// sentences need not know who reads them. Shown in any other way it is English.
type Text string

// How a Text with gaps is written down. None of these is ever in a sentence,
// and Say takes them out of what it is given.
const (
	capital = '\x01' // a text follows that begins a sentence
	begins  = '\x02' // the form follows
	plural  = '\x1e' // the form for more than one follows, and the first gap decides
	gap     = '\x1f' // a value follows
	ends    = '\x03'
)

// Say fills the gaps of a sentence, such as "{who} asked {whom}", in their
// order; a gap that stands there twice takes one value. A value is data, or a
// Text of its own. What stands in brackets, such as "[ of {patient}]", is left
// out when a gap in it has nothing to say; "[{link}|a link]" says what follows
// the bar instead.
func Say(form Text, values ...any) Text {
	var b strings.Builder
	b.WriteRune(begins)
	b.WriteString(string(form))
	for _, v := range values {
		b.WriteRune(gap)
		b.WriteString(value(v))
	}
	b.WriteRune(ends)
	return Text(b.String())
}

// Sentence has a text begin with a capital letter, whatever fills its first gap.
func Sentence(t Text) Text {
	if !strings.ContainsRune(string(t), begins) {
		t = Say(t)
	}
	return Text(capital) + t
}

// Count is Say for a number of things: its form is one of two in English, and
// of more in other languages. The number fills the first gap, {n}.
func Count[N int | int64](n N, one, many Text, values ...any) Text {
	return Say(one+Text(plural)+many, append([]any{n}, values...)...)
}

// Data is what is never translated, such as a name, in the place of a Text.
func Data(s string) Text {
	if s == "" {
		return ""
	}
	return Say("", s)
}

// Join writes texts one after the other.
func Join(all []Text, between Text) Text {
	out := Text("")
	for i, t := range all {
		switch {
		case i == 0:
			out = t
		default:
			out = Say("{first}{between}{next}", out, between, t)
		}
	}
	return out
}

func value(v any) string {
	switch v := v.(type) {
	case Text:
		if v != "" && !strings.ContainsRune(string(v), begins) {
			v = Say(v) // or it would be read as data
		}
		return string(v)
	case string:
		return strings.Map(func(r rune) rune {
			if r == capital || r == begins || r == plural || r == gap || r == ends {
				return -1
			}
			return r
		}, v)
	}
	return value(fmt.Sprint(v))
}

// Language translates forms.
type Language interface {
	// Form gives a form in the language, and false where it has none.
	Form(context, english string) (string, bool)
	// Plural gives the form for n things.
	Plural(one, many string, n int) (string, bool)
}

// String is the text in English.
func (t Text) String() string { s, _ := t.In(nil); return s }

// MarshalText gives the text in English, for the API.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// In is the text in a language, and whether the language has it. What it has
// not is English.
func (t Text) In(l Language) (text string, translated bool) {
	if !strings.ContainsRune(string(t), begins) {
		return form(l, string(t))
	}
	r := reader{rest: string(t), in: l}
	return r.text()
}

func form(l Language, english string) (string, bool) {
	if l != nil && english != "" {
		if s, ok := l.Form("", english); ok {
			return s, true
		}
	}
	return english, l == nil || !Letters(english)
}

// reader reads a Text as it is written down.
type reader struct {
	rest string
	in   Language
}

// until takes what comes before any of the marks.
func (r *reader) until(marks string) string {
	i := strings.IndexAny(r.rest, marks)
	if i < 0 {
		i = len(r.rest)
	}
	s := r.rest[:i]
	r.rest = r.rest[i:]
	return s
}

func (r *reader) take(mark rune) bool {
	ok := strings.HasPrefix(r.rest, string(mark))
	if ok {
		r.rest = r.rest[1:]
	}
	return ok
}

// text reads a form and what fills its gaps.
func (r *reader) text() (string, bool) {
	if r.take(capital) {
		s, ok := r.text()
		first, n := utf8.DecodeRuneInString(s)
		if n > 0 {
			s = string(unicode.ToUpper(first)) + s[n:]
		}
		return s, ok
	}
	r.take(begins)
	one := r.until(string(plural) + string(gap) + string(ends))
	many, counts := "", r.take(plural)
	if counts {
		many = r.until(string(gap) + string(ends))
	}
	var values []string
	for r.take(gap) {
		if strings.HasPrefix(r.rest, string(begins)) || strings.HasPrefix(r.rest, string(capital)) {
			s, _ := r.text()
			values = append(values, s)
			continue
		}
		values = append(values, r.until(string(gap)+string(ends)))
	}
	r.take(ends)
	if one == "" {
		return strings.Join(values, ""), true
	}
	if !counts {
		f, ok := form(r.in, one)
		return Fill(one, f, values), ok
	}
	n, _ := strconv.Atoi(values[0])
	if r.in != nil {
		if f, ok := r.in.Plural(one, many, n); ok {
			return Fill(many, f, values), true
		}
	}
	if n == 1 {
		return Fill(one, one, values), r.in == nil
	}
	return Fill(many, many, values), r.in == nil
}

// Gaps lists the names of a form's gaps, each once, in their order.
func Gaps(form string) []string {
	var out []string
	each(form, func(string) {}, func(name string) {
		for _, n := range out {
			if n == name {
				return
			}
		}
		out = append(out, name)
	})
	return out
}

// Fill fills the gaps of a form with the values, which are in the order in which
// the gaps stand in the English form.
func Fill(english, form string, values []string) string {
	has := map[string]string{}
	for i, name := range Gaps(english) {
		if i < len(values) {
			has[name] = values[i]
		}
	}
	form = optional.ReplaceAllStringFunc(form, func(s string) string {
		first, second, _ := strings.Cut(s[1:len(s)-1], "|")
		for _, name := range Gaps(first) {
			if has[name] == "" {
				return second
			}
		}
		return first
	})
	var b strings.Builder
	each(form, func(s string) { b.WriteString(s) }, func(name string) { b.WriteString(has[name]) })
	return b.String()
}

var optional = regexp.MustCompile(`\[[^][]*\]`)

// each goes through a form: what stands there, and the names of its gaps.
func each(form string, text, named func(string)) {
	for form != "" {
		i := strings.IndexByte(form, '{')
		j := strings.IndexByte(form, '}')
		if i < 0 || j < i {
			text(form)
			return
		}
		text(form[:i])
		named(form[i+1 : j])
		form = form[j+1:]
	}
}

// Letters reports whether there is anything in a form to translate.
func Letters(form string) bool {
	found := false
	each(form, func(s string) {
		found = found || strings.ContainsFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' })
	}, func(string) {})
	return found
}
