package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/words"
)

// Disclosing lists the types that tell of somebody having seen something of a
// patient, or having got access to it.
func Disclosing() []Type {
	return []Type{PictureShown, AnnotationsShown, ItemDescribed, ItemsListed, PatientShown, PatientFound, ReferralRead, ReferralsListed,
		LinkVisited, LinkOpened, GlassBroken, KeyReleased, RecordsRead, ItemHandedOver}
}

// Names says what identifiers stand for, for people to read.
type Names struct {
	Person func(access.PersonID) words.Text
	Team   func(access.TeamID) words.Text
}

// counted are details that are numbers of something.
var counted = map[string][2]words.Text{
	"items":   {"{n} item", "{n} items"},
	"records": {"{n} record", "{n} records"},
}

// sentences have gaps, which details and what an event is about fill.
var sentences = map[Type]words.Text{
	SignedIn:          "{who} signed in",
	RecordsRead:       "{who} read the records: {what}[, of {patient}][, batch {batch}]",
	RecordsDated:      "The dates of {items} in {records} were worked out again",
	RecordClassified:  "{who} gave [{patient}|a team or an item] the class [{class}|by age]",
	PatientEvent:      "{who} recorded of {patient}: {kind}",
	PatientEventEnded: "{who} cancelled what had been recorded of {patient} in error",
	PatientsMerged:    "{who} merged another number of the same person into {patient}",
	MergeUndone:       "{who} undid a merge of another number into {patient}[: {items} went back]",
	ItemMoved:         "{who} gave {item} to the right patient, {patient}",
	HoldPlaced:        "{who} placed a hold",
	HoldReleased:      "{who} released a hold",
	DisposalProposed:  "{who} proposed {items} for destruction (batch {batch})",
	DisposalApproved:  "{who} approved the destruction of batch {batch}[, which can be undone until {until}]",
	DisposalRefused:   "{who} refused the destruction of batch {batch}",
	DisposalUndone:    "{who} undid the disposal of batch {batch}",
	KeyDestroyed:      "The keys of {item} were destroyed (batch {batch})",
	ItemDestroyed:     "{item} was destroyed (batch {batch})",
	DisposalSpared:    "{item} was spared (batch {batch}): {why}",
	HandoverProposed:  "{who} proposed to hand {items} over to another organisation",
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
	BackupPruned:      "Old backups were removed: {backups}",
	Restored:          "This system was restored from backup {backup} of {taken}; what was recorded after it is not here",
}

var renditionWords = map[string]words.Text{
	"original-clean": "the original of", "preview": "the preview of", "thumbnail": "a small copy of", "poster": "a frame of", "playable": "the playable form of",
}

// detailWords are what details say that are words, and not codes.
var detailWords = map[string]words.Text{
	"due": "due", "disposals": "disposals", "disposal": "disposal", "holds": "holds", "schedule": "schedule", "record": "record", "records": "records", "reports": "reports", "export": "export", "certificate": "certificate", "found": "found",
}

// Sentence tells the event in a plain sentence. Patients, items and links go
// by the end of their identifier, since nothing else of them is in the audit.
func (e Event) Sentence(n Names) words.Text {
	values := map[string]words.Text{
		"who": "The system, or nobody signed in", "item": brief("picture {id}", e.Subject.Item), "patient": brief("patient {id}", e.Subject.Patient), "link": brief("link {id}", e.Subject.Link),
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
			values[name] = words.Data(value)
			if t, ok := detailWords[value]; ok {
				values[name] = t
			}
			if c, ok := counted[name]; ok {
				if n, err := strconv.ParseInt(value, 10, 64); err == nil {
					values[name] = words.Count(n, c[0], c[1])
				}
			}
		}
	}
	form, ok := sentences[e.Type]
	if !ok {
		what := words.Data(string(e.Type))
		for _, d := range typeDocs {
			if d.Type == e.Type {
				what = d.Says
			}
		}
		return words.Sentence(words.Say("{who}: {what}", values["who"], what))
	}
	var fill []any
	needed := words.Gaps(always(string(form)))
	for _, name := range words.Gaps(string(form)) {
		if values[name] == "" && slices.Contains(needed, name) {
			values[name] = "something"
		}
		fill = append(fill, values[name])
	}
	return words.Sentence(words.Say(form, fill...))
}

// always is what of a sentence stands outside of brackets.
func always(form string) string {
	before, rest, _ := strings.Cut(form, "[")
	if _, after, ok := strings.Cut(rest, "]"); ok {
		return before + always(after)
	}
	return before
}

// brief names something by the end of its identifier, which is random.
func brief(what words.Text, id string) words.Text {
	if id == "" {
		return ""
	}
	return words.Say(what, Brief(id))
}

// Brief is the end of an identifier, to tell a few of them apart.
func Brief(id string) string { return id[max(0, len(id)-6):] }
