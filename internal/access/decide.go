package access

import (
	"slices"
	"strings"
)

// Relation is a set of ways in which a person stands to an item (or, for a
// case or an upload, to its team). The zero Relation is no relation at all.
type Relation uint8

const (
	Uploader  Relation = 1 << iota // took the picture
	SameTeam                       // is a member of the team that the item belongs to
	Referred                       // a live link to the item is addressed to them, their team or their role
	Emergency                      // has taken emergency access to the item's patient
	Asked                          // a referral that is not closed asks them, their team or their role about the item
	Invited                        // is outside the organisation, and visits by a live invitation to the item
)

var relationNames = []struct {
	r    Relation
	name string
}{{Uploader, "uploader"}, {SameTeam, "same team"}, {Referred, "referred"}, {Emergency, "emergency"}, {Asked, "asked"}, {Invited, "invited"}}

// String lists the relations in words, such as "uploader or same team".
func (r Relation) String() string {
	var names []string
	for _, n := range relationNames {
		if r&n.r != 0 {
			names = append(names, n.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, " or ")
}

// Action is one thing that a person may ask for. The vocabulary is closed: an
// action without a row in the table is refused to everybody.
type Action string

const (
	OwnAccount      Action = "account.own"      // see and end one's own session and tokens
	ChoosePassword  Action = "account.password" // change one's own password
	ListPeople      Action = "people.list"      // names and roles of colleagues, to address a link
	ManagePeople    Action = "people.manage"    // add, change, suspend, unlock
	ListTeams       Action = "teams.list"       //
	ManageTeams     Action = "teams.manage"     // add teams, change their members
	RegisterPatient Action = "patient.register" // make a patient known here
	FindPatient     Action = "patient.find"     // by number and date of birth
	OpenCase        Action = "case.open"
	ListCases       Action = "case.list"
	UploadItem      Action = "item.upload"
	ListItems       Action = "item.list"        // each sees the items that item.describe allows
	DescribeItem    Action = "item.describe"    // facts and receipt, without the picture
	ShowItem        Action = "item.show"        // the picture itself
	ShowOpened      Action = "item.show-opened" // the picture itself, through an opened link
	SeeAnnotations  Action = "annotation.see"   // what is drawn and written over a picture
	Annotate        Action = "annotation.make"  // and remove one's own
	MakeLink        Action = "link.make"
	ListLinks       Action = "link.list" // one's own live links
	OpenLink        Action = "link.open"
	RevokeLink      Action = "link.revoke"
	ReadAudit       Action = "audit.read"
	MakeReferral    Action = "referral.make"   // ask a question about items
	ListReferrals   Action = "referral.list"   // those that one asked, one's teams asked, or that ask one
	ReadReferral    Action = "referral.read"   // the question, its items and the thread
	AnswerReferral  Action = "referral.answer" // write in the thread

	ReportIncident    Action = "incident.report"
	HandleIncidents   Action = "incident.handle" // list and close reports
	Investigate       Action = "incident.investigate"
	ReadReports       Action = "reports.read"
	BreakGlass        Action = "emergency.start" // see a patient of other teams, with a reason
	ReviewEmergencies Action = "emergency.review"
	WatchSystem       Action = "system.watch"

	InviteOutside    Action = "invitation.make"
	ListInvitations  Action = "invitation.list"
	RevokeInvitation Action = "invitation.revoke"
	SeeInvited       Action = "invitation.see" // the one thing that somebody outside may do

	ReadRecords     Action = "records.read"     // schedules, dates, holds, reviews and certificates
	KeepRecords     Action = "records.keep"     // record what happened to patients, classify, put right
	ApplySchedule   Action = "schedule.apply"   // confirm rules, apply a new schedule
	PlaceHold       Action = "hold.place"       // and release
	ProposeDisposal Action = "disposal.propose" // decide a review: keep, or propose to destroy
	ApproveDisposal Action = "disposal.approve" // approve or refuse what another proposed; undo
	ProposeHandover Action = "handover.propose" // and fetch its package, record that it arrived, take it back
	ApproveHandover Action = "handover.approve" // what another proposed
	TellPatient     Action = "audit.patient"    // who looked at one patient's pictures, for the patient to have
)

// Rule is one row of the table: what an action is, and which relation each
// role needs for it. A role that is absent may not. AnyRelation means that
// the role is enough.
type Rule struct {
	Action Action
	Says   string
	Need   map[Role]Relation
}

// AnyRelation in a Rule asks for no relation to the item.
const AnyRelation Relation = 0

const (
	ownOrTeam     = Uploader | SameTeam
	ownOrAsked    = Uploader | SameTeam | Asked
	ownTeamOrLink = Uploader | SameTeam | Referred
	ownOrNeeded   = Uploader | SameTeam | Asked | Emergency
	anyOfThese    = Uploader | SameTeam | Referred | Asked | Emergency
)

func all(r Relation, roles ...Role) map[Role]Relation {
	m := make(map[Role]Relation, len(roles))
	for _, role := range roles {
		m[role] = r
	}
	return m
}

// Table is the whole policy. docs/access.md is generated from it.
func Table() []Rule {
	withRecords := func(m map[Role]Relation) map[Role]Relation { m[RecordsOfficer] = AnyRelation; return m }
	overseen := func(m map[Role]Relation) map[Role]Relation {
		m[Auditor], m[Administrator] = AnyRelation, AnyRelation
		return m
	}
	return []Rule{
		{OwnAccount, "See who one is, end one's session, make and revoke one's API tokens", all(AnyRelation, Roles()...)},
		{ChoosePassword, "Change one's password; all that one may do with a password that somebody else chose", all(AnyRelation, Roles()...)},
		{ListPeople, "See colleagues' names and roles, to address a link", all(AnyRelation, Roles()...)},
		{ListTeams, "See the teams", all(AnyRelation, Roles()...)},
		{ManagePeople, "Add, change, suspend, restore and unlock members of staff", all(AnyRelation, Administrator)},
		{ManageTeams, "Add teams and change who is in them", all(AnyRelation, Administrator)},
		{RegisterPatient, "Register a patient", all(AnyRelation, Clinician, Consultant, RecordsOfficer)},
		{FindPatient, "Find a patient by number and date of birth", all(AnyRelation, Clinician, Consultant, RecordsOfficer)},
		{OpenCase, "Open a case for a patient, in a team", all(SameTeam, Clinician, Consultant)},
		{ListCases, "List a patient's cases (those of one's teams; records officers: all)", all(AnyRelation, Clinician, Consultant, RecordsOfficer)},
		{UploadItem, "File a photo or video, in a team", all(SameTeam, Clinician, Consultant)},
		{ListItems, "List items (only those that one may see described)", all(AnyRelation, Clinician, Consultant, RecordsOfficer)},
		{DescribeItem, "See an item's facts and receipt, without the picture", withRecords(all(anyOfThese, Clinician, Consultant))},
		{ShowItem, "See the picture or video itself", all(ownOrNeeded, Clinician, Consultant)},
		{ShowOpened, "See the picture or video itself through a link that one has opened", all(ownTeamOrLink, Clinician, Consultant)},
		{SeeAnnotations, "See what is drawn and written over a picture (through an opened link: with the picture)", all(ownOrNeeded, Clinician, Consultant)},
		{Annotate, "Draw and write over a picture, which itself stays as it is; change and remove one's own", all(ownOrAsked, Clinician, Consultant)},
		{MakeLink, "Make a link to an item", all(ownOrTeam, Clinician, Consultant)},
		{ListLinks, "List one's own live links", all(AnyRelation, Clinician, Consultant)},
		{OpenLink, "Open a link", all(Referred, Clinician, Consultant)},
		{RevokeLink, "Revoke a link, or all of one's links to a person", all(ownOrTeam, Clinician, Consultant)},
		{MakeReferral, "Ask a person, a team or a role about items", all(ownOrTeam, Clinician, Consultant)},
		{ListReferrals, "List referrals (one's own, those of one's teams, and those that ask one)", all(AnyRelation, Clinician, Consultant)},
		{ReadReferral, "Read a referral: its question, its items and the thread (who asked it counts as uploader)", all(ownOrAsked, Clinician, Consultant)},
		{AnswerReferral, "Answer a referral, ask for another picture, add to it, close it", all(ownOrAsked, Clinician, Consultant)},
		{BreakGlass, "Take emergency access to a patient of other teams, with a reason, for a while; end it", all(AnyRelation, Clinician, Consultant)},
		{ReviewEmergencies, "List and review emergency accesses", all(AnyRelation, Auditor)},
		{ReportIncident, "Report a problem or a breach", all(AnyRelation, Roles()...)},
		{HandleIncidents, "List and close reports of problems and breaches", all(AnyRelation, Auditor)},
		{ReadRecords, "See schedules, dates, holds, reviews, the destruction log and certificates", all(AnyRelation, RecordsOfficer, Auditor)},
		{KeepRecords, "Record what happened to patients, classify records, merge two numbers and undo that, put right a picture filed to the wrong patient, end consent", all(AnyRelation, RecordsOfficer)},
		{ApplySchedule, "Confirm the rules of a schedule, apply a new one", all(AnyRelation, RecordsOfficer)},
		{PlaceHold, "Place and release holds", all(AnyRelation, RecordsOfficer)},
		{ProposeDisposal, "Decide a review: keep, or propose to destroy", all(AnyRelation, RecordsOfficer)},
		{ApproveDisposal, "Approve or refuse what another person proposed to destroy; undo it in time", all(AnyRelation, RecordsOfficer)},
		{ProposeHandover, "Propose to hand items whose time has come over to another organisation; once approved, fetch the package, sealed to that organisation; record that it arrived; end it", all(AnyRelation, RecordsOfficer)},
		{ApproveHandover, "Approve a handover that another person proposed", all(AnyRelation, RecordsOfficer)},
		{Investigate, "Open an incident about a person: see what they could and did see, end their access, decide whether to report it", all(AnyRelation, Auditor)},
		{ReadReports, "Read the reports: questions that nobody has seen, emergency accesses, failed sign-ins, incidents, what was filed. They hold nothing about a patient", all(AnyRelation, RecordsOfficer, Auditor)},
		{WatchSystem, "See how each part of the system is", all(AnyRelation, Administrator)},
		{ReadAudit, "Search and export the audit events; get checkpoints and proofs", all(AnyRelation, Auditor)},
		{TellPatient, "Find a patient and list who looked at their pictures (names the patient and what is pictured), to give to the patient", all(AnyRelation, RecordsOfficer, Auditor)},
		{InviteOutside, "Invite a named person outside the organisation to see items", all(ownOrTeam, Clinician, Consultant)},
		{ListInvitations, "List live invitations (one's own and those to items of one's teams; auditors and administrators: all, without what they are for)", all(AnyRelation, Clinician, Consultant, Auditor, Administrator)},
		{RevokeInvitation, "Revoke an invitation, or everything to the person it is for (who made it counts as uploader)", overseen(all(ownOrTeam, Clinician, Consultant))},
		{SeeInvited, "See the pictures and videos of an invitation, in their forms to look at, during a visit", all(Invited, External)},
	}
}

var table = Table() // read only

// Decision is the answer to one question of access.
type Decision uint8

const (
	DenyNobody   Decision = iota // nobody is signed in, or they are suspended
	DenyRole                     // this role may never do this
	DenyRelation                 // the role may, but not with this item
	DenyFactor                   // a second factor is needed first, and is missing
	DenyPassword                 // a password of one's own is needed first
	DenyScope                    // a token asks whose scopes do not name this
	Allow
)

// Decide answers whether p may do a while standing in the relation rel. It
// denies what the table does not allow.
func Decide(p Principal, a Action, rel Relation) Decision {
	if !p.SignedIn() {
		return DenyNobody
	}
	if p.FirstPassword && a != ChoosePassword {
		return DenyPassword
	}
	if p.NoFactor && a != OwnAccount && a != ChoosePassword {
		return DenyFactor
	}
	if p.Token && !scoped(p.Scopes, a) {
		return DenyScope
	}
	i := slices.IndexFunc(table, func(r Rule) bool { return r.Action == a })
	if i < 0 {
		return DenyRole
	}
	need, ok := table[i].Need[p.Person.Role]
	switch {
	case !ok:
		return DenyRole
	case need == AnyRelation, rel&need != 0:
		return Allow
	}
	return DenyRelation
}

// May reports whether the role may do a at all, whatever the relation. Use it
// to refuse early; Decide is what allows.
func May(p Principal, a Action) Decision { return Decide(p, a, ^Relation(0)) }
