// Package audit is the vocabulary of the account of who did what. An event is
// committed in the same transaction as what it describes and, for a disclosure,
// before the first byte leaves; where no event can be written, nothing is
// disclosed. It holds no I/O and reads no clock.
//
// Events name people, items and patients by their identifiers here, never by
// patient number, name or free text, and never carry a token or a key.
package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/words"
)

// Type names what happened: "subject.verb". The vocabulary is closed; see Types.
type Type string

const (
	SignedIn         Type = "session.signed-in"
	SignInFailed     Type = "session.sign-in-failed"
	SignInLocked     Type = "session.sign-in-locked"
	SignedOut        Type = "session.signed-out"
	SteppedUp        Type = "session.stepped-up"
	SessionEnded     Type = "session.ended"
	SignInHalf       Type = "session.second-step-asked"
	FactorAdded      Type = "factor.added"
	FactorRemoved    Type = "factor.removed"
	FactorsReset     Type = "factor.reset"
	CodesMade        Type = "factor.recovery-codes-made"
	TokenMinted      Type = "token.minted"
	TokenRevoked     Type = "token.revoked"
	PersonAdded      Type = "person.added"
	PersonChanged    Type = "person.changed"
	PersonSuspended  Type = "person.suspended"
	PersonRestored   Type = "person.restored"
	PersonUnlocked   Type = "person.unlocked"
	PasswordChanged  Type = "person.password-changed"
	TicketMade       Type = "person.ticket-made"
	TicketRefused    Type = "person.ticket-refused"
	IdentityLinked   Type = "person.identity-linked"
	IdentityUnlinked Type = "person.identity-unlinked"
	TeamAdded        Type = "team.added"
	TeamJoined       Type = "team.member-added"
	TeamLeft         Type = "team.member-removed"
	PatientAdded     Type = "patient.registered"
	PatientFound     Type = "patient.found"
	PatientShown     Type = "patient.shown"
	CaseOpened       Type = "case.opened"
	ItemFiled        Type = "item.filed"
	ItemRefused      Type = "item.refused"
	ItemRepeated     Type = "item.repeated"
	UploadStarted    Type = "upload.started"
	UploadEnded      Type = "upload.ended"
	ItemsListed      Type = "item.listed"
	ItemDescribed    Type = "item.described"
	PictureShown     Type = "item.shown"
	RenditionDerived Type = "item.rendition-derived"
	RenditionFailed  Type = "item.rendition-failed"
	QualityMeasured  Type = "item.quality-measured"
	LinkMade         Type = "link.made"
	LinkVisited      Type = "link.visited"
	LinkOpened       Type = "link.opened"
	LinkRefused      Type = "link.refused"
	LinkRevoked      Type = "link.revoked"
	AccessDenied     Type = "access.denied"
	KeyMade          Type = "key.made"
	KeyReleased      Type = "key.released"
	KeyRetired       Type = "key.retired"
	KeysResealed     Type = "keys.resealed"
	KeysRewrapped    Type = "keys.rewrapped"
	AuditRead        Type = "audit.read"
	ReferralMade     Type = "referral.made"
	ReferralsListed  Type = "referral.listed"
	ReferralRead     Type = "referral.read"
	ReferralWritten  Type = "referral.written"

	GuidanceRead      Type = "guidance.acknowledged"
	IncidentReported  Type = "incident.reported"
	IncidentClosed    Type = "incident.closed"
	GlassBroken       Type = "emergency.started"
	EmergencyEnded    Type = "emergency.ended"
	EmergencyReviewed Type = "emergency.reviewed"
	OversightRead     Type = "oversight.read"

	IncidentOpened    Type = "incident.opened"
	IncidentShown     Type = "incident.shown"
	IncidentContained Type = "incident.contained"
	IncidentDecided   Type = "incident.decided"
	IncidentAware     Type = "incident.aware-changed"
	IncidentDrafted   Type = "incident.report-drafted"

	AnnotationsShown  Type = "item.annotations-shown"
	Annotated         Type = "item.annotated"
	AnnotationRemoved Type = "item.annotation-removed"

	ScheduleApplied   Type = "schedule.applied"
	RuleConfirmed     Type = "schedule.rule-confirmed"
	RecordsRead       Type = "records.read"
	RecordsDated      Type = "records.dated"
	RecordClassified  Type = "records.classified"
	PatientEvent      Type = "patient.event-recorded"
	PatientEventEnded Type = "patient.event-cancelled"
	PatientsMerged    Type = "patient.merged"
	MergeUndone       Type = "patient.merge-undone"
	ItemMoved         Type = "item.moved"
	ConsentEnded      Type = "item.consent-ended"
	HoldPlaced        Type = "hold.placed"
	HoldReleased      Type = "hold.released"
	DisposalKept      Type = "disposal.kept"
	DisposalProposed  Type = "disposal.proposed"
	DisposalRefused   Type = "disposal.refused"
	DisposalApproved  Type = "disposal.approved"
	DisposalUndone    Type = "disposal.undone"
	DisposalStarted   Type = "disposal.started"
	DisposalSpared    Type = "disposal.spared"
	KeyDestroyed      Type = "item.key-destroyed"
	ItemDestroyed     Type = "item.destroyed"
	DisposalCertified Type = "disposal.certified"
	DisposalRepeated  Type = "disposal.repeated"

	HandoverProposed  Type = "handover.proposed"
	HandoverApproved  Type = "handover.approved"
	HandoverEnded     Type = "handover.ended"
	HandoverConfirmed Type = "handover.confirmed"
	ItemHandedOver    Type = "item.handed-over"

	StoreChecked  Type = "store.checked"
	StoreDamaged  Type = "store.damage-found"
	StoreRepaired Type = "store.repaired"
	RepairBegun   Type = "store.repair-begun"
	BackupMade    Type = "backup.made"
	BackupPruned  Type = "backup.pruned"
	Restored      Type = "backup.restored"

	InvitationMade    Type = "invitation.made"
	InvitationCoded   Type = "invitation.code-sent"
	InvitationOpened  Type = "invitation.opened"
	InvitationShown   Type = "invitation.shown"
	InvitationLeft    Type = "invitation.left"
	InvitationRefused Type = "invitation.refused"
	InvitationRevoked Type = "invitation.revoked"
)

// Types lists the vocabulary with what each type means, in documents' order.
func Types() []TypeDoc { return typeDocs }

// TypeDoc explains one Type.
type TypeDoc struct {
	Type Type
	Says words.Text
}

var typeDocs = []TypeDoc{
	{SignedIn, "a person signed in"},
	{SignInFailed, "a sign-in was refused; the detail says why"},
	{SignInLocked, "an account was locked after too many failed sign-ins"},
	{SignedOut, "a person ended their session"},
	{SessionEnded, "a session was ended from elsewhere: by its person, or by an auditor who contained an incident"},
	{SignInHalf, "a password was right, and a second step was asked for; nobody is signed in yet"},
	{FactorAdded, "a person set up a second step for signing in; the detail says what"},
	{FactorRemoved, "a person removed a second step for signing in"},
	{FactorsReset, "all second steps of a person were removed, because they lost them; their sessions and tokens ended"},
	{CodesMade, "a person had new recovery codes made; the old ones are void"},
	{SteppedUp, "a person proved once more who they are, for work that asks for it; the detail says how"},
	{TokenMinted, "a person made an API token"},
	{TokenRevoked, "an API token was revoked"},
	{PersonAdded, "a member of staff was added"},
	{PersonChanged, "a member of staff's name or role was changed"},
	{PersonSuspended, "a member of staff was suspended: sessions, tokens and links died with it"},
	{PersonRestored, "a suspension was lifted"},
	{PersonUnlocked, "a locked account was unlocked"},
	{PasswordChanged, "a person changed their password, or chose one with a ticket; their sessions and tokens ended"},
	{TicketMade, "a person was given a one-time address at which they choose a password; the detail says whether it was mailed to them or shown to who made it"},
	{TicketRefused, "somebody opened a one-time address that is not good, or no longer; the detail says why"},
	{IdentityLinked, "a person linked who they are at a provider to their account here, and signs in there too; the detail names the provider"},
	{IdentityUnlinked, "a person ended that they sign in at a provider; their sessions from there ended with it"},
	{TeamAdded, "a team was added"},
	{TeamJoined, "a person joined a team"},
	{TeamLeft, "a person left a team"},
	{PatientAdded, "a patient was registered"},
	{PatientFound, "a patient was looked up by number"},
	{PatientShown, "a patient's details were shown"},
	{CaseOpened, "a case was opened"},
	{ItemFiled, "a photo or video was filed"},
	{ItemRefused, "an upload was refused and nothing was stored; the detail says why"},
	{ItemRepeated, "an upload repeated one already filed, and the earlier item was returned"},
	{UploadStarted, "an upload that can be resumed was started; nothing is filed yet"},
	{UploadEnded, "an upload that can be resumed ended, and its parts were removed; the detail says how"},
	{ItemsListed, "a list of items was shown"},
	{ItemDescribed, "an item's details, without its picture, were shown"},
	{PictureShown, "a picture or video was shown; committed before its first byte"},
	{RenditionDerived, "a form of a picture or video to look at was made"},
	{RenditionFailed, "a form of a picture or video to look at could not be made"},
	{QualityMeasured, "a picture's sharpness and exposure were measured"},
	{AnnotationsShown, "what is drawn and written over a picture was shown"},
	{Annotated, "somebody drew or wrote over a picture, which itself stays as it is; the detail gives the version"},
	{AnnotationRemoved, "somebody took away what they had drawn or written; the record keeps it"},
	{LinkMade, "a link to an item was made"},
	{LinkVisited, "a link was checked by a signed-in person without opening it"},
	{LinkOpened, "a link was opened and became a grant; no picture has been shown yet"},
	{LinkRefused, "a link was refused; the detail says why"},
	{LinkRevoked, "a link was revoked, and its grants with it"},
	{AccessDenied, "a request was refused by the decision table"},
	{KeyMade, "a key of the keyring was made"},
	{KeyReleased, "an item's identity was released to an operator"},
	{KeyRetired, "a key of the keyring that nothing needs any more was removed"},
	{KeysResealed, "the keys of the keyring were sealed to other roots or escrow recipients; the detail says why"},
	{KeysRewrapped, "a number of items' keys were taken to the newest key-encryption key"},
	{AuditRead, "the audit events were searched, or exported; the detail says in which form"},
	{ReferralMade, "a person, a team or a role was asked about items"},
	{ReferralsListed, "a list of referrals was shown"},
	{ReferralRead, "a referral's question and thread were shown"},
	{ReferralWritten, "something was added to a referral; the detail says what, and whose turn it is now"},
	{GuidanceRead, "a person acknowledged the guidance for staff"},
	{IncidentReported, "a problem or a breach was reported"},
	{IncidentClosed, "a report was closed"},
	{IncidentOpened, "an incident about a person was opened at the incident desk"},
	{IncidentShown, "the facts of an incident, or the report of it, were shown"},
	{IncidentContained, "access was ended because of an incident; the detail counts what, and each has an event of its own"},
	{IncidentDecided, "it was decided, or decided anew, whether the regulator or the people affected are told, or recorded that they were"},
	{IncidentAware, "the time at which the organisation became aware of an incident was put right"},
	{IncidentDrafted, "a version of the report of an incident was kept"},
	{GlassBroken, "a person took emergency access to a patient of other teams"},
	{EmergencyEnded, "a person ended their emergency access before its time"},
	{EmergencyReviewed, "an emergency access was reviewed"},
	{ScheduleApplied, "a retention schedule was applied; the detail gives its version"},
	{RuleConfirmed, "a records officer confirmed that a rule's figures are those of the code in force"},
	{RecordsRead, "a patient's record, a review, the holds or the destruction log was shown"},
	{RecordsDated, "the dates until which items are kept were worked out again"},
	{RecordClassified, "a patient's record, a team or an item was given a class, or it was taken away"},
	{PatientEvent, "something that dates depend on happened to a patient and was recorded"},
	{PatientEventEnded, "a patient event was marked as recorded in error"},
	{PatientsMerged, "a patient with two numbers became one; the detail names the patient that was merged"},
	{MergeUndone, "a merge of two patient numbers was undone; the detail names the patient who is one of their own again, and counts the items that went back"},
	{ItemMoved, "an item was given to another patient; the detail names the one before"},
	{ConsentEnded, "consent to an item was withdrawn, wholly or for teaching or publication"},
	{HoldPlaced, "a hold was placed: what meets its criteria cannot be destroyed"},
	{HoldReleased, "a hold was released"},
	{DisposalKept, "a review decided that an item is kept longer, or goes to another organisation"},
	{DisposalProposed, "a batch of items was proposed for destruction"},
	{DisposalRefused, "a proposal was refused by the second person"},
	{DisposalApproved, "a proposal was approved by a second person; it can be undone until the time in the detail"},
	{DisposalUndone, "an approved disposal was undone in time"},
	{DisposalStarted, "the destruction of a batch began"},
	{DisposalSpared, "an item of a batch was not destroyed; the detail says why"},
	{KeyDestroyed, "the keys of an item's renditions were destroyed: from here nothing can show it"},
	{ItemDestroyed, "every version of an item's objects was deleted, and what was written about it"},
	{DisposalCertified, "the certificate of a batch was signed"},
	{DisposalRepeated, "an item that had been destroyed was found again, after an old backup was restored, and destroyed again"},
	{HandoverProposed, "items whose time has come were proposed for a handover to another organisation"},
	{HandoverApproved, "a second person approved a handover: from here its package can be fetched"},
	{HandoverEnded, "a handover was refused or taken back"},
	{HandoverConfirmed, "it was recorded that the other organisation has what was handed over"},
	{ItemHandedOver, "the original and what is recorded of it were fetched in a package sealed to another organisation; committed before its first byte"},
	{StoreChecked, "the objects were compared with the database; the detail says how, how many, and how many are not as they should be"},
	{StoreDamaged, "an object, its row or its key is not as it should be; the detail says what"},
	{RepairBegun, "a repair that removes or writes an object is about to be tried; the detail says of which, and why. Where no store.repaired follows, nothing came of it, or it was cut short"},
	{StoreRepaired, "something that was not as it should be was repaired; the detail says what was done"},
	{BackupMade, "a backup was made; the detail names it, and counts rows and objects"},
	{BackupPruned, "backups were removed because they had been kept as long as they may be"},
	{Restored, "this deployment was restored from a backup, whose name and time are in the detail: what was recorded after that time is not here"},
	{OversightRead, "the reports, the emergency accesses or the invitations were listed"},
	{InvitationMade, "a person outside the organisation was invited to see items"},
	{InvitationCoded, "a one-time code was made, to be sent to whom an invitation is for"},
	{InvitationOpened, "an invitation was opened with its code and became a visit; no picture has been shown yet"},
	{InvitationShown, "a visitor was shown what an invitation is for, without its pictures"},
	{InvitationLeft, "a visitor ended their visit"},
	{InvitationRefused, "an invitation was refused; the detail says why"},
	{InvitationRevoked, "an invitation, or every one to the same person, was revoked, and its visits with it"},
}

// Event is one thing that happened. Seq and At are set by the database when it
// is committed; ID and the rest by who records it.
type Event struct {
	Seq     int64             `json:"seq"`
	ID      string            `json:"id"`
	At      time.Time         `json:"at"`
	Type    Type              `json:"type"`
	Actor   access.PersonID   `json:"actor,omitempty"`   // empty when nobody is signed in or the system acts; of a visitor, their invitation
	Session access.SessionID  `json:"session,omitempty"` // the session or token it came with
	Request string            `json:"request,omitempty"` // request identifier, to find it in the logs
	Subject Subject           `json:"subject"`
	Detail  map[string]string `json:"detail,omitempty"` // small, closed-vocabulary facts; no free text
}

// Subject names what the event is about, by identifiers.
type Subject struct {
	Item      string `json:"item,omitempty"`
	Rendition string `json:"rendition,omitempty"`
	Patient   string `json:"patient,omitempty"`
	Case      string `json:"case,omitempty"`
	Team      string `json:"team,omitempty"`
	Person    string `json:"person,omitempty"`
	Link      string `json:"link,omitempty"`
	Grant     string `json:"grant,omitempty"`
	Token     string `json:"token,omitempty"`
	Key       string `json:"key,omitempty"`
	Referral  string `json:"referral,omitempty"`
	Incident  string `json:"incident,omitempty"`
	Emergency string `json:"emergency,omitempty"`

	Annotation string `json:"annotation,omitempty"` // a set of marks over an item
	Invitation string `json:"invitation,omitempty"`

	Hold  string `json:"hold,omitempty"`
	Batch string `json:"batch,omitempty"` // of items to be destroyed

	Handover string `json:"handover,omitempty"` // of items to another organisation
}

// NewEvent starts an event of type t done by who.
func NewEvent(t Type, who access.Principal, subject Subject) Event {
	return Event{ID: uuid.Must(uuid.NewV7()).String(), Type: t, Actor: who.Person.ID, Session: who.Session, Request: who.Request, Subject: subject}
}

// With returns a copy of the event with the detail key set to value.
func (e Event) With(key, value string) Event {
	d := make(map[string]string, len(e.Detail)+1)
	for k, v := range e.Detail {
		d[k] = v
	}
	d[key] = value
	e.Detail = d
	return e
}

// Canonical is the event's one byte form, version 1: JSON with fields in the
// order of the struct, map keys sorted, no insignificant space, times in UTC
// with microseconds. It is what is stored, and what will be a leaf of the
// audit tree.
func (e Event) Canonical() ([]byte, error) {
	if e.Seq <= 0 || e.At.IsZero() || e.ID == "" || e.Type == "" {
		return nil, fmt.Errorf("audit event is not complete")
	}
	e.At = e.At.UTC().Truncate(time.Microsecond)
	return json.Marshal(struct {
		V int `json:"v"`
		Event
	}{1, e})
}
