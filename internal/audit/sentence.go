package audit

import (
	"strings"

	"github.com/wardseal/wardseal/internal/access"
)

// Disclosing lists the types that tell of somebody having seen something of a
// patient, or having got access to it.
func Disclosing() []Type {
	return []Type{PictureShown, AnnotationsShown, ItemDescribed, ItemsListed, PatientShown, PatientFound, ReferralRead, ReferralsListed,
		LinkVisited, LinkOpened, GlassBroken, KeyReleased, RecordsRead, ItemHandedOver}
}

// Names says what identifiers stand for, for people to read.
type Names struct {
	Person func(access.PersonID) string
	Team   func(access.TeamID) string
}

// sentences are templates: {name} is replaced, and what stands in brackets is
// left out when a name in it has nothing to say.
var sentences = map[Type]string{
	SignedIn:          "{who} signed in",
	RecordsRead:       "{who} read the records: {what}[, of {patient}][, batch {batch}]",
	RecordsDated:      "The dates of {items} items in {records} records were worked out again",
	RecordClassified:  "{who} gave [{patient}|a team or an item] the class [{class}|by age]",
	PatientEvent:      "{who} recorded of {patient}: {kind}",
	PatientEventEnded: "{who} cancelled what had been recorded of {patient} in error",
	PatientsMerged:    "{who} merged another number of the same person into {patient}",
	MergeUndone:       "{who} undid a merge of another number into {patient}[: {items} items went back]",
	ItemMoved:         "{who} gave {item} to the right patient, {patient}",
	HoldPlaced:        "{who} placed a hold",
	HoldReleased:      "{who} released a hold",
	DisposalProposed:  "{who} proposed {items} items for destruction (batch {batch})",
	DisposalApproved:  "{who} approved the destruction of batch {batch}[, which can be undone until {until}]",
	DisposalRefused:   "{who} refused the destruction of batch {batch}",
	DisposalUndone:    "{who} undid the disposal of batch {batch}",
	KeyDestroyed:      "The keys of {item} were destroyed (batch {batch})",
	ItemDestroyed:     "{item} was destroyed (batch {batch})",
	DisposalSpared:    "{item} was spared (batch {batch}): {why}",
	HandoverProposed:  "{who} proposed to hand {items} items over to another organisation",
	HandoverApproved:  "{who} approved a handover to another organisation",
	HandoverEnded:     "{who} ended a handover to another organisation",
	HandoverConfirmed: "{who} recorded that another organisation has what was handed over",
	ItemHandedOver:    "{who} fetched {item}[ of {patient}] for another organisation, sealed to its key",
	SignInFailed:      "A sign-in[ as {person}] was refused[ ({reason})]",
	SignInLocked:      "[{person}: ]the account was locked after too many failed sign-ins",
	SignedOut:         "{who} signed out",
	PatientAdded:      "{who} registered {patient}",
	PatientFound:      "{who} looked up [{patient} ]by number and date of birth[ ({outcome})]",
	PatientShown:      "{who} saw the name and number of {patient}",
	CaseOpened:        "{who} opened a case for {patient}",
	ItemFiled:         "{who} filed {item}[ of {patient}][ in {team}]",
	ItemRefused:       "An upload by {who} was refused, and nothing was filed[ ({reason})]",
	ItemsListed:       "{who} saw a list of pictures[ of {patient}][ ({count} in it)]",
	ItemDescribed:     "{who} saw the details of {item}[ of {patient}], without the picture",
	PictureShown:      "{who} looked at [{rendition} ]{item}[ of {patient}][ through {link}]",
	AnnotationsShown:  "{who} saw what is drawn over {item}[ of {patient}][ through {link}]",
	Annotated:         "{who} drew or wrote over {item}[ of {patient}]",
	LinkMade:          "{who} made {link} to {item}[ of {patient}][ for {person}][ for {team}][ for any {role}]",
	LinkVisited:       "{who} checked {link} without opening it",
	LinkOpened:        "{who} opened {link} to {item}",
	LinkRefused:       "{who} tried [{link}|a link] and was refused[ ({reason})]",
	LinkRevoked:       "{who} revoked [{link}|links][ to {person}]",
	AccessDenied:      "{who} was refused[ {action}][ on {item}][ of {patient}]",
	KeyReleased:       "The key of {item} was released to an operator",
	AuditRead:         "{who} searched the audit[ about {patient}][ about {person}][ about {link}]",
	ReferralMade:      "{who} asked a question about pictures of {patient}[ to {person}][ to {team}][ to any {role}]",
	ReferralRead:      "{who} read a question about {patient}",
	ReferralWritten:   "{who} wrote in a question about {patient}",
	GlassBroken:       "{who} took emergency access to {patient}",
	EmergencyEnded:    "{who} ended their emergency access",
	StoreChecked:      "The pictures in the store were checked ({by}): {objects} read, {wrong} not as they should be",
	StoreDamaged:      "[{item}|Something in the store] is not as it should be: {kind}",
	RepairBegun:       "[{item}|Something in the store] is about to be repaired: {kind}",
	StoreRepaired:     "[{item}|Something in the store] was repaired: {done}",
	BackupMade:        "Backup {backup} was made",
	BackupPruned:      "{backups} old backups were removed",
	Restored:          "This system was restored from backup {backup} of {taken}; what was recorded after it is not here",
}

var renditionWords = map[string]string{
	"original-clean": "the original of", "preview": "the preview of", "thumbnail": "a small copy of", "poster": "a frame of", "playable": "the playable form of",
}

// Sentence tells the event in a plain sentence. Patients, items and links go
// by the end of their identifier, since nothing else of them is in the audit.
func (e Event) Sentence(n Names) string {
	form, ok := sentences[e.Type]
	if !ok {
		form = "{who}: " + string(e.Type)
		for _, d := range typeDocs {
			if d.Type == e.Type {
				form = "{who}: " + d.Says
			}
		}
	}
	values := map[string]string{
		"who": "The system, or nobody signed in", "item": brief("picture", e.Subject.Item), "patient": brief("patient", e.Subject.Patient), "link": brief("link", e.Subject.Link),
		"rendition": renditionWords[e.Subject.Rendition],
	}
	if e.Actor != "" {
		values["who"] = n.Person(e.Actor)
	}
	if e.Subject.Person != "" {
		values["person"] = n.Person(access.PersonID(e.Subject.Person))
	}
	if e.Subject.Team != "" {
		values["team"] = n.Team(access.TeamID(e.Subject.Team))
	}
	for name, value := range e.Detail {
		if values[name] == "" {
			values[name] = value
		}
	}
	return fill(form, values)
}

// brief names something by the end of its identifier, which is random.
func brief(what, id string) string {
	if id == "" {
		return ""
	}
	return what + " " + Brief(id)
}

// Brief is the end of an identifier, to tell a few of them apart.
func Brief(id string) string { return id[max(0, len(id)-6):] }

// fill fills a template: [a|b] is a if all of its names have values, and b or
// nothing otherwise.
func fill(form string, values map[string]string) string {
	var out strings.Builder
	for form != "" {
		before, rest, ok := strings.Cut(form, "[")
		text, _ := put(before, values)
		out.WriteString(text)
		if !ok {
			break
		}
		inside, after, _ := strings.Cut(rest, "]")
		first, second, _ := strings.Cut(inside, "|")
		if text, whole := put(first, values); whole {
			out.WriteString(text)
		} else {
			out.WriteString(second)
		}
		form = after
	}
	s := out.String()
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// put replaces names by their values, and tells whether each had one.
func put(form string, values map[string]string) (string, bool) {
	var out strings.Builder
	whole := true
	for {
		before, rest, ok := strings.Cut(form, "{")
		out.WriteString(before)
		if !ok {
			return out.String(), whole
		}
		name, after, _ := strings.Cut(rest, "}")
		value := values[name]
		if value == "" {
			whole = false
			value = "something"
		}
		out.WriteString(value)
		form = after
	}
}
