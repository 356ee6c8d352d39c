package ui

import (
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"
	_ "time/tzdata" // a small container has no zones of its own
)

// Zone is where the clocks of the readers hang.
var Zone = func() *time.Location {
	z, err := time.LoadLocation("Europe/London")
	if err != nil {
		return time.UTC
	}
	return z
}()

var functions = template.FuncMap{
	"asset":   address,
	"moment":  moment,
	"clock":   func(t time.Time) string { return t.In(Zone).Format("3:04pm") },
	"day":     day,
	"date":    date,
	"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"size":    Size,
	"count":   count,
	"percent": func(f *float64) int { return int(100*min(max(*f, 0), 1) + 0.5) },
	"number":  spaced,
	"put":     put,
	"brief": func(id string) string { // the end of an identifier, which tells a few of them apart
		if len(id) != 36 {
			return id
		}
		return id[30:]
	},
	"role": func(r any) string { return strings.ReplaceAll(fmt.Sprint(r), "-", " ") },
	"list": func(s ...string) []string { return s },
}

func address(name string) (string, error) {
	a, ok := assets[name]
	if !ok {
		return "", errors.New("there is no asset " + name)
	}
	return a.Path, nil
}

// moment is a time as people write it: 24 November 2026, 2:05pm.
func moment(t time.Time) string { return t.In(Zone).Format("2 January 2006, 3:04pm") }

// date is a day that has no time of its own.
func date(t time.Time) string { return t.Format("2 January 2006") }

// day turns 1950-01-31 into 31 January 1950.
func day(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return t.Format("2 January 2006")
}

// Size is a number of bytes as people write it.
func Size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%d KB", (n+512)/1024)
	}
	return count(int(n), "byte")
}

// count gives "1 link" or "2 links".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
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
