package retention

import (
	"strings"
	"testing"
	"time"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

// The figures of both schedules, as sentences that a records officer reads.
func TestDates(t *testing.T) {
	old := Facts{Born: day("1950-01-31"), LastEntry: day("2026-03-12")}
	with := func(f Facts, change func(*Facts)) Facts { change(&f); return f }
	died := func(on string) func(*Facts) { return func(f *Facts) { f.Died = day(on) } }
	for _, c := range []struct {
		in    Jurisdiction
		class Class
		f     Facts
		until string // "" for none
		says  string
	}{
		{England, "", old, "2034-03-12", "8 years after the last entry on 12 March 2026"},
		{Scotland, "", old, "2032-03-12", "6 years after the last entry"},
		{England, "", with(old, func(f *Facts) { f.Discharged = day("2027-01-01") }), "2035-01-01", "8 years after the end of treatment on 1 January 2027"},
		{England, "", with(old, func(f *Facts) { f.Discharged = day("2020-01-01") }), "2034-03-12", "the last entry"}, // back in use after it
		{Scotland, "", with(old, died("2026-04-01")), "2029-04-01", "3 years after the death on 1 April 2026, which comes before 12 March 2032"},
		{Scotland, "", with(old, died("2031-04-01")), "2032-03-12", "6 years after"},
		{England, "", with(old, died("2026-04-01")), "2034-03-12", "8 years after the last entry"},
		{England, "", Facts{Born: day("2015-05-03"), LastEntry: day("2026-03-12")}, "2040-05-03", "the 25th birthday"},
		{England, "", Facts{Born: day("2008-05-03"), LastEntry: day("2026-03-12")}, "2034-05-03", "the 26th birthday, because the patient was 17 at the last entry on 12 March 2026"},
		{England, "", Facts{Born: day("2008-05-03"), LastEntry: day("2026-03-12"), Discharged: day("2026-05-02")}, "2034-05-03", "was 17 at the end of treatment on 2 May 2026"},
		{England, "", Facts{Born: day("2008-05-03"), LastEntry: day("2026-03-12"), Discharged: day("2026-05-03")}, "2034-05-03", "8 years after"}, // turned 18 that day: an adult
		{Scotland, "", Facts{Born: day("2015-05-03"), LastEntry: day("2026-03-12"), Died: day("2026-04-01")}, "2029-04-01", "3 years after the death"},
		{England, "", Facts{Born: day("2020-02-29"), LastEntry: day("2026-03-12")}, "2045-03-01", "the 25th birthday"},
		{England, MentalHealth, old, "2046-03-12", "20 years"},
		{England, MentalHealth, with(old, died("2026-04-01")), "2036-04-01", "10 years after the death"},
		{Scotland, MentalHealth, with(old, died("2026-04-01")), "2029-04-01", "3 years after the death"},
		{England, Maternity, old, "2051-03-12", "25 years"},
		{England, Cancer, old, "2056-03-12", "30 years"},
		{England, Cancer, with(old, died("2026-04-01")), "2034-04-01", "8 years after the death"},
		{Scotland, Cancer, with(old, died("2026-04-01")), "2056-03-12", "30 years"},
		{England, GP, old, "", "10 years after death, and no death is recorded"},
		{England, GP, with(old, died("2026-04-01")), "2036-04-01", "10 years after the death"},
		{England, Teaching, old, "", "while there is consent"},
		{England, Teaching, with(old, func(f *Facts) { f.ConsentEnded = day("2026-06-01") }), "2026-06-01", "consent ended on 1 June 2026"},
		// A child's other record is kept at least as long as a child's.
		{England, MentalHealth, Facts{Born: day("2024-05-03"), LastEntry: day("2026-03-12")}, "2049-05-03", "the 25th birthday"},
		{England, MentalHealth, Facts{Born: day("2010-05-03"), LastEntry: day("2026-03-12")}, "2046-03-12", "20 years"},
		{England, Teaching, Facts{Born: day("2010-05-03"), LastEntry: day("2026-03-12"), ConsentEnded: day("2026-06-01")}, "2026-06-01", "consent ended"},
	} {
		s, err := Shipped(c.in)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Due(c.class, c.f)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if !d.Until.IsZero() {
			got = d.Until.Format(time.DateOnly)
		}
		if got != c.until || !strings.Contains(d.Why.String(), c.says) {
			t.Errorf("%s %q: %s (%s), want %s (%s)", c.in, c.class, got, d.Why.String(), c.until, c.says)
		}
		if r := d.Review(); !d.Until.IsZero() && (r.Before(d.Until) || d.Trigger != ConsentEnded && r.Day() != 1) {
			t.Errorf("%s: reviewed from %s", d.Why.String(), r)
		}
	}
}

// A schedule that leaves anything open, or says it twice, is refused.
func TestScheduleIsWhole(t *testing.T) {
	text, err := shipped.ReadFile("schedules/england.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown class":   {"class: adult", "class: giant"},
		"no years":        {"years: 8", "years: 0"},
		"negative":        {"years: 8", "years: -8"},
		"far":             {"years: 8", "years: 8000"},
		"misspelt":        {"years-after-death: 8", "years-after-deth: 8"},
		"no source":       {`source: "Mental health records"`, `source: ""`},
		"automatic":       {"automatic: false", "automatic: true"},
		"jurisdiction":    {"jurisdiction: england", "jurisdiction: atlantis"},
		"birthday":        {"{age: 26, if-aged: 17}", "{age: 26}"},
		"both":            {"class: child\n", "class: child\n    years: 3\n    from: last-seen\n"},
		"copy with years": {"class: teaching\n    title: Copy for teaching\n    from: consent-ended", "class: teaching\n    title: Copy for teaching\n    years: 3\n    from: last-seen"},
		"twice":           {"class: gp", "class: adult"},
	} {
		bad := strings.Replace(string(text), change[0], change[1], 1)
		if bad == string(text) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := Parse(append(text, "\n---\n"...)); err == nil {
		t.Error("two documents are accepted")
	}
}

// A rule's confirmation is void once its figures change, and not before.
func TestRuleHash(t *testing.T) {
	s, err := Shipped(England)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Rules[0]
	sure := r
	sure.Verified = true
	longer := r
	longer.Years++
	if r.Hash() != sure.Hash() || r.Hash() == longer.Hash() || r.Hash() == s.Rules[1].Hash() {
		t.Error("the hash is not that of the figures")
	}
}

func FuzzParse(f *testing.F) {
	for _, j := range Jurisdictions() {
		text, err := shipped.ReadFile("schedules/" + string(j) + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		for _, c := range Classes() {
			if _, err := s.Due(c, Facts{Born: day("2010-01-01"), LastEntry: day("2026-01-01")}); err != nil {
				t.Errorf("an accepted schedule cannot date %s: %v", c, err)
			}
		}
	})
}
