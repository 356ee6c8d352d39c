package retention

import (
	"github.com/wardseal/wardseal/internal/words"
)

// Period says a rule's period in words, such as "8 years after the patient was
// last seen".
func (r Rule) Period() words.Text {
	var says []words.Text
	switch {
	case r.From == ConsentEnded:
		says = append(says, "For as long as there is consent to it")
	case r.From == LastSeen:
		says = append(says, words.Say("{years} after the patient was last seen", years(r.Years)))
	}
	for i, b := range r.Birthdays {
		if i == 0 {
			says = append(says, words.Say("Until the {ordinal} birthday", ordinal(b.Age)))
			continue
		}
		says = append(says, words.Say("until the {ordinal} if the patient was {age} when last seen", ordinal(b.Age), b.IfAged))
	}
	switch {
	case r.YearsAfterDeath == 0:
	case len(says) == 0:
		says = append(says, words.Say("{years} after death, and until then without end", years(r.YearsAfterDeath)))
	default:
		says = append(says, words.Say("{years} after death where that is sooner", years(r.YearsAfterDeath)))
	}
	return words.Join(says, "; ")
}
