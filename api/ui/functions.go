package ui

import (
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"
	_ "time/tzdata" // a small container has no zones of its own

	"github.com/wardseal/wardseal/internal/words"
)

// Zone is where the clocks of the readers hang.
var Zone = func() *time.Location {
	z, err := time.LoadLocation("Europe/London")
	if err != nil {
		return time.UTC
	}
	return z
}()

// functions are what the templates of a language call.
func functions(l *Language) template.FuncMap {
	return template.FuncMap{
		"asset":   address,
		"moment":  Moment,
		"clock":   func(t time.Time) words.Text { return words.Clock(t.In(Zone)) },
		"day":     day,
		"date":    words.Date,
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"size":    Size,
		"count":   func(n int, what string) words.Text { one, many := Counted(what); return words.Count(n, one, many) },
		"percent": func(f *float64) int { return int(100*min(max(*f, 0), 1) + 0.5) },
		"number":  spaced,
		"put":     put,
		"brief": func(id string) string { // the end of an identifier, which tells a few of them apart
			if len(id) != 36 {
				return id
			}
			return id[30:]
		},
		"device": device,
		"role":   func(r any) words.Text { return Role(fmt.Sprint(r)) },
		"list":   func(s ...string) []string { return s },
		"text":   func(s string) words.Text { return words.Text(s) },
		"fill":   func(form words.Text, values ...any) words.Text { return words.Say(form, values...) },
		"say":    l.say,
		"plain":  l.plain,
	}
}

// say shows a value of a page: what people are told in the language or, where
// it has not got that, marked as English; and data as it is.
func (l *Language) say(v any) any {
	t, ok := v.(words.Text)
	if !ok {
		return v
	}
	s, ok := t.In(l)
	if ok {
		return s
	}
	return template.HTML(`<span lang="en">` + template.HTMLEscapeString(s) + `</span>`) // #nosec G203 -- escaped
}

// plain is say where no element can stand.
func (l *Language) plain(v any) any {
	if t, ok := v.(words.Text); ok {
		s, _ := t.In(l)
		return s
	}
	return v
}

func address(name string) (string, error) {
	a, ok := assets()[name]
	if !ok {
		return "", errors.New("there is no asset " + name)
	}
	return a.Path, nil
}

// Moment is a time as people here write it: 24 November 2026, 2:05pm.
func Moment(t time.Time) words.Text { return words.Moment(t.In(Zone)) }

// DayOf is the day of a time: 24 November 2026.
func DayOf(t time.Time) words.Text { return words.Date(t.In(Zone)) }

// day turns 1950-01-31 into 31 January 1950.
func day(date string) words.Text {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return words.Data(date)
	}
	return words.Date(t)
}

// Role is a role as people say it.
func Role(r string) words.Text {
	if t, ok := roles[r]; ok {
		return t
	}
	return words.Data(r)
}

var roles = map[string]words.Text{"clinician": "clinician", "consultant": "consultant", "records-officer": "records officer", "auditor": "auditor", "administrator": "administrator"}

// Size is a number of bytes as people write it.
func Size(n int64) words.Text {
	switch {
	case n >= 1<<30:
		return words.Say("{n} GB", fmt.Sprintf("%.1f", float64(n)/(1<<30)))
	case n >= 1<<20:
		return words.Say("{n} MB", fmt.Sprintf("%.1f", float64(n)/(1<<20)))
	case n >= 1<<10:
		return words.Say("{n} KB", (n+512)/1024)
	}
	return words.Count(n, "{n} byte", "{n} bytes")
}

// device puts what a session says of itself, as package api wrote it when it
// began, into words: a browser, a system, or both.
func device(s string) words.Text {
	browser, system, ok := strings.Cut(s, " on ")
	switch {
	case s == "A program":
		return "A program"
	case !ok:
		return words.Data(s)
	case browser == "A browser":
		return words.Say("A browser on {system}", system)
	}
	return words.Say("{browser} on {system}", browser, system)
}

// Counted gives the forms for what templates count: "link", or "picture or
// video|pictures or videos" where more than an s is needed.
func Counted(what string) (one, many words.Text) {
	single, several, ok := strings.Cut(what, "|")
	if !ok {
		several = what + "s"
	}
	return words.Text("{n} " + single), words.Text("{n} " + several)
}

// spaced writes a patient number in its usual groups: 999 000 0018.
func spaced(digits string) string {
	if len(digits) != 10 {
		return digits
	}
	return strings.Join([]string{digits[:3], digits[3:6], digits[6:]}, "\u00a0")
}

// put gives a part of a page several values by name.
func put(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("put takes names and values")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("put takes names and values")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
