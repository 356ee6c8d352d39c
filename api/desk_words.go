package api

import (
	"fmt"
	"strings"
	"time"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// causeWords say what happened, as a choice on a form and as a title.
var causeWords = map[oversight.Cause]words.Text{
	oversight.WrongMember:    "The wrong person was added to a team",
	oversight.LostDevice:     "A phone or computer is lost or stolen",
	oversight.WrongRecipient: "Somebody was shown or sent what was not for them",
	oversight.OtherCause:     "Something else",
}

// names of those whom the pages of the desk speak of.
type names struct {
	people []Person
	teams  []Team
}

// said is how sentences of the audit name people and teams.
func (n names) said() audit.Names {
	return audit.Names{
		Person: func(id access.PersonID) words.Text { return personName(n.people, id) },
		Team:   func(id access.TeamID) words.Text { return teamName(n.teams, id) },
	}
}

// lasting writes a duration in the two largest parts of days, hours and minutes.
func lasting(d time.Duration) words.Text {
	d = max(d, -d).Round(time.Minute)
	days := words.Count(int(d/(24*time.Hour)), "{n} day", "{n} days")
	hours := words.Count(int(d/time.Hour)%24, "{n} hour", "{n} hours")
	minutes := words.Count(int(d/time.Minute)%60, "{n} minute", "{n} minutes")
	switch whole, odd := d%(24*time.Hour) < time.Hour, d%time.Hour > 0; {
	case d >= 24*time.Hour && !whole:
		return words.Say("{days} and {hours}", days, hours)
	case d >= 24*time.Hour:
		return days
	case d >= time.Hour && odd:
		return words.Say("{hours} and {minutes}", hours, minutes)
	case d >= time.Hour:
		return hours
	}
	return minutes
}

// clockWords say how the clock of article 33 stands, and in which colour.
func clockWords(c oversight.Clock) (text words.Text, colour string) {
	switch c.Hurry {
	case oversight.Done:
		return words.Say("The regulator was told {when}, in time", spoken(c.ToldAt)), "green"
	case oversight.DoneLate:
		return words.Say("The regulator was told {when}, {late} late: the report must say why", spoken(c.ToldAt), lasting(c.ToldAt.Sub(c.Due))), "red"
	case oversight.NotNeeded:
		return "It was decided that the regulator need not be told", "grey"
	case oversight.Overdue:
		return words.Say("Overdue by {time}", lasting(c.Left)), "red"
	case oversight.Soon:
		return words.Say("{time} left to tell the regulator", lasting(c.Left)), "orange"
	}
	return words.Say("{time} left to tell the regulator", lasting(c.Left)), "blue"
}

// sawWords say what was shown to somebody, shorter than the audit does.
var sawWords = map[audit.Type]words.Text{
	audit.PictureShown: "Saw the picture", audit.AnnotationsShown: "Saw what is drawn over it", audit.ItemDescribed: "Saw its details", audit.LinkOpened: "Opened a link",
	audit.LinkVisited: "Was told of a link", audit.ItemsListed: "Looked at a list of pictures", audit.PatientFound: "Looked up a patient", audit.PatientShown: "Saw a patient's name and number",
	audit.ReferralRead: "Read a question", audit.ReferralsListed: "Looked at a list of questions",
}

func spoken(t time.Time) words.Text { return ui.Moment(t) }

func many(n int, cut bool, one, more words.Text) words.Text {
	if cut {
		return words.Say("more than {what}", words.Count(n, one, more))
	}
	return words.Count(n, one, more)
}

// containedWords say what a containment ended.
func containedWords(value string, n names) words.Text {
	did := transfer.ParseContained(value)
	var parts []words.Text
	add := func(n int, one, more words.Text) {
		if n > 0 {
			parts = append(parts, words.Count(n, one, more))
		}
	}
	add(did.Links, "{n} link revoked", "{n} links revoked")
	add(did.Emergencies, "{n} emergency access ended", "{n} emergency accesses ended")
	add(did.Sessions, "{n} session ended", "{n} sessions ended")
	add(did.Tokens, "{n} API token revoked", "{n} API tokens revoked")
	if did.Suspended {
		parts = append(parts, "the account suspended")
	}
	for _, t := range did.Left {
		parts = append(parts, words.Say("taken out of {team}", teamName(n.teams, t)))
	}
	if parts == nil {
		return "Nothing was left to end"
	}
	return words.Sentence(words.Join(parts, ", "))
}

var decisionWords = map[oversight.EntryKind]map[oversight.Decision]words.Text{
	oversight.DecisionEntry: {oversight.Tell: "Tell the regulator", oversight.NotTell: "Do not tell the regulator", oversight.Told: "The regulator was told"},
	oversight.PeopleEntry:   {oversight.Tell: "Tell the people affected", oversight.NotTell: "Do not tell the people affected", oversight.Told: "The people affected were told"},
}

// entryWords are the title of an entry.
func entryWords(e oversight.Entry, n names) words.Text {
	switch e.Kind {
	case oversight.AwareEntry:
		return words.Say("Became aware: put right to {when}", spoken(e.When))
	case oversight.ContainEntry:
		return words.Say("Contained: {what}", containedWords(e.Value, n))
	case oversight.DraftEntry:
		return "A version of the report was kept"
	}
	text := decisionWords[e.Kind][oversight.Decision(e.Value)]
	if !e.When.IsZero() {
		return words.Say("{what}, {when}", text, spoken(e.When))
	}
	return text
}

// prefill makes a draft of the report from the facts. It names no patient and
// no member of staff. It is in English, as what is told to the regulator is.
func prefill(c transfer.Case, n names) oversight.Draft {
	could, saw, within := c.Facts.Could.All, c.Facts.Saw, c.Facts.Within
	var d oversight.Draft
	what := map[oversight.Cause]string{
		oversight.WrongMember:    "A member of staff was added to a team by mistake.",
		oversight.LostDevice:     "A device from which the system was used is lost or stolen.",
		oversight.WrongRecipient: "A member of staff was shown or sent clinical pictures that were not for them.",
		oversight.OtherCause:     "Clinical pictures may have been seen by somebody who should not have seen them.",
	}[c.Cause]
	if c.Scope.Team != "" {
		what += " The team is " + teamName(n.teams, c.Scope.Team).String() + "."
	}
	d.Nature = fmt.Sprintf("%s Confidentiality of clinical pictures, from %s to %s. The organisation became aware on %s.", what, spoken(within.From), spoken(within.To), spoken(c.AwareAt))
	d.People = fmt.Sprintf("Patients. Open to the person in that time: pictures of %s. In fact shown to the person: pictures of %s; with details and lists, something of %s.",
		many(could.Patients, could.Cut, "{n} patient", "{n} patients"), many(saw.Pictures.Patients, saw.Cut, "{n} patient", "{n} patients"), many(saw.All.Patients, saw.Cut, "{n} patient", "{n} patients"))
	d.Records = fmt.Sprintf("Clinical photographs and videos with their notes (data concerning health). Open: %s. In fact shown: %s.",
		many(could.Items, could.Cut, "{n} item", "{n} items"), many(saw.Pictures.Items, saw.Cut, "{n} item", "{n} items"))
	if saw.ThumbnailOnly > 0 {
		d.Records = strings.TrimSuffix(d.Records, ".") + fmt.Sprintf(", of which %d only as a small picture in a list.", saw.ThumbnailOnly)
	}
	d.Consequences = "Loss of confidentiality: somebody without a need to know could see pictures of patients. Every opening of a picture is recorded, and pictures are shown with the viewer's name over them; whether a screen was photographed cannot be known."
	var done []string
	for _, e := range c.Entries {
		if e.Kind == oversight.ContainEntry {
			text := containedWords(e.Value, n).String()
			done = append(done, spoken(e.At).String()+": "+strings.ToLower(text[:1])+text[1:]+".")
		}
	}
	if done == nil {
		done = []string{"None yet."}
	}
	d.Measures = "Taken: " + strings.Join(done, " ") + "\nProposed: "
	return d
}

// draftFields are the fields of the report in order, with what article 33(3)
// asks for.
func draftFields(d oversight.Draft) []draftField {
	return []draftField{
		{"nature", "What happened", "The nature of the breach", d.Nature},
		{"people", "Whose data", "Categories and approximate number of people concerned", d.People},
		{"records", "Which records", "Categories and approximate number of records concerned", d.Records},
		{"contact", "Contact", "Name and contact details of the data protection officer or another contact point", d.Contact},
		{"consequences", "Likely consequences", "Of the breach, for the people concerned", d.Consequences},
		{"measures", "Measures", "Taken or proposed, also to lessen the harm", d.Measures},
	}
}

type draftField struct {
	Name        string
	Title, Hint words.Text
	Text        string
}

// reportText is the report as plain text.
func reportText(c transfer.Case, d oversight.Draft) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Report of a personal data breach (UK GDPR, article 33)\n\nIncident %s\nBecame aware: %s\nTo be told by: %s\n", c.Incident, spoken(c.AwareAt), spoken(c.Clock.Due))
	if text, _ := clockWords(c.Clock); text != "" {
		fmt.Fprintf(&b, "At the time of this text: %s\n", text)
	}
	for _, f := range draftFields(d) {
		text := f.Text
		if text == "" {
			text = "(not filled in)"
		}
		fmt.Fprintf(&b, "\n%s\n(%s)\n%s\n", strings.ToUpper(f.Title.String()), f.Hint, strings.ReplaceAll(text, "\r\n", "\n"))
	}
	for _, kind := range []oversight.EntryKind{oversight.DecisionEntry, oversight.PeopleEntry} {
		for _, e := range c.Entries {
			if e.Kind == kind {
				fmt.Fprintf(&b, "\n%s (recorded %s)\n%s\n", entryWords(e.Entry, names{}), spoken(e.At), strings.ReplaceAll(e.Text, "\r\n", "\n"))
			}
		}
	}
	return b.String()
}
