package retention

import (
	"fmt"
	"strings"
)

// Period says a rule's period in words, such as "8 years after the patient was
// last seen".
func (r Rule) Period() string {
	var says []string
	switch {
	case r.From == ConsentEnded:
		says = append(says, "For as long as there is consent to it")
	case r.From == LastSeen:
		says = append(says, years(r.Years)+" after the patient was last seen")
	}
	for i, b := range r.Birthdays {
		if i == 0 {
			says = append(says, fmt.Sprintf("Until the %s birthday", ordinal(b.Age)))
			continue
		}
		says = append(says, fmt.Sprintf("until the %s if the patient was %d when last seen", ordinal(b.Age), b.IfAged))
	}
	switch {
	case r.YearsAfterDeath == 0:
	case len(says) == 0:
		says = append(says, years(r.YearsAfterDeath)+" after death, and until then without end")
	default:
		says = append(says, fmt.Sprintf("%s after death where that is sooner", years(r.YearsAfterDeath)))
	}
	return strings.Join(says, "; ")
}
