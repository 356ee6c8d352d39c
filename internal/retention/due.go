package retention

import (
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/words"
)

// Facts are what a date depends on. All days are at midnight UTC; a zero day
// is not known or has not come.
type Facts struct {
	Born         time.Time
	LastEntry    time.Time // the last thing that was added to the record
	Discharged   time.Time // or transferred; the latest
	Died         time.Time
	ConsentEnded time.Time
}

// Day cuts t to its day in UTC.
func Day(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// seen is when the patient was last seen, and in which words.
func (f Facts) seen() (time.Time, words.Text) {
	if f.Discharged.After(f.LastEntry) {
		return f.Discharged, words.Say("the end of treatment on {day}", words.Date(f.Discharged))
	}
	return f.LastEntry, words.Say("the last entry on {day}", words.Date(f.LastEntry))
}

// Aged is the patient's age in whole years when last seen.
func (f Facts) Aged() int {
	seen, _ := f.seen()
	return age(f.Born, seen)
}

func age(born, on time.Time) int {
	years := on.Year() - born.Year()
	if birthday(born, years).After(on) {
		years--
	}
	return years
}

// birthday is the day on which somebody completes a number of years. Who was
// born on 29 February does so on 1 March of other years, which is never early.
func birthday(born time.Time, years int) time.Time { return born.AddDate(years, 0, 0) }

// Due is until when something is kept, and why.
type Due struct {
	Rule    Rule
	Until   time.Time  // zero: nothing ends it yet
	Trigger Trigger    // what ends it; empty when nothing does
	From    time.Time  // the trigger's day
	Why     words.Text // one sentence, with dates: it tells of the patient
}

// Review is the day from which it may be proposed for disposal: the first of
// the month after Until, so that what is kept in the clear does not give
// somebody's birthday away. What ended with consent may go at once.
func (d Due) Review() time.Time {
	if d.Until.IsZero() || d.Trigger == ConsentEnded {
		return d.Until
	}
	y, m, _ := d.Until.Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
}

// Default is the class of a record that nobody gave one.
func Default(f Facts) Class {
	if f.Aged() < 18 {
		return Child
	}
	return Adult
}

// Due works out until when something of class c is kept; with the zero Class,
// by age. What a child's record is kept for is the least that any other record
// of somebody that young is kept for.
func (s Schedule) Due(c Class, f Facts) (Due, error) {
	if f.Born.IsZero() || f.LastEntry.IsZero() {
		return Due{}, fmt.Errorf("a date needs the date of birth and the last entry")
	}
	byAge := Default(f)
	if c == "" {
		c = byAge
	}
	r, ok := s.Rule(c)
	if !ok {
		return Due{}, fmt.Errorf("the schedule has no class %q", c)
	}
	due := r.due(f)
	if byAge != Child || c == Child || c.Copy() || due.Until.IsZero() {
		return due, nil
	}
	young, ok := s.Rule(Child)
	if !ok {
		return Due{}, fmt.Errorf("the schedule has no class %q", Child)
	}
	if d := young.due(f); d.Until.IsZero() || d.Until.After(due.Until) {
		return d, nil
	}
	return due, nil
}

// due applies one rule.
func (r Rule) due(f Facts) Due {
	d := Due{Rule: r}
	seen, said := f.seen()
	switch {
	case r.From == ConsentEnded:
		if d.Until = f.ConsentEnded; d.Until.IsZero() {
			d.Why = "Kept while there is consent to it."
			return d
		}
		d.Trigger, d.From = ConsentEnded, f.ConsentEnded
		d.Why = words.Say("Not kept longer, because consent ended on {day}.", words.Date(f.ConsentEnded))
		return d
	case r.From == LastSeen:
		d.Until, d.Trigger, d.From = seen.AddDate(r.Years, 0, 0), LastSeen, seen
		d.Why = words.Say("Kept until {day}: {years} after {event}.", words.Date(d.Until), years(r.Years), said)
	case len(r.Birthdays) > 0:
		d.Until, d.Trigger, d.From, d.Why = r.byBirthday(f)
	}
	if r.YearsAfterDeath == 0 {
		return d
	}
	if f.Died.IsZero() {
		if d.Until.IsZero() {
			d.Why = words.Say("Kept until {years} after death, and no death is recorded.", years(r.YearsAfterDeath))
		}
		return d
	}
	if end := f.Died.AddDate(r.YearsAfterDeath, 0, 0); d.Until.IsZero() || end.Before(d.Until) {
		sooner := words.Text("")
		if !d.Until.IsZero() {
			sooner = words.Date(d.Until)
		}
		d.Until, d.Trigger, d.From = end, Death, f.Died
		d.Why = words.Say("Kept until {day}: {years} after the death on {died}[, which comes before {other}].", words.Date(end), years(r.YearsAfterDeath), words.Date(f.Died), sooner)
	}
	return d
}

func (r Rule) byBirthday(f Facts) (until time.Time, t Trigger, from time.Time, why words.Text) {
	aged := f.Aged()
	at := r.Birthdays[0]
	for _, b := range r.Birthdays[1:] {
		if b.IfAged == aged {
			at = b
		}
	}
	until = birthday(f.Born, at.Age)
	if at.IfAged == 0 {
		return until, Birthday, until, words.Say("Kept until {day}: the {ordinal} birthday.", words.Date(until), ordinal(at.Age))
	}
	_, said := f.seen()
	return until, Birthday, until, words.Say("Kept until {day}: the {ordinal} birthday, because the patient was {age} at {event}.", words.Date(until), ordinal(at.Age), aged, said)
}

// Spell writes a day in full, as pages do.
func Spell(t time.Time) string { return words.Date(t).String() }

func years(n int) words.Text { return words.Count(n, "{n} year", "{n} years") }

func ordinal(n int) words.Text {
	form := words.Text("{n}th")
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			form = "{n}st"
		case 2:
			form = "{n}nd"
		case 3:
			form = "{n}rd"
		}
	}
	return words.Say(form, n)
}
