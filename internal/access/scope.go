package access

import (
	"slices"
	"strings"

	"github.com/wardseal/wardseal/internal/words"
)

// Scope is something that an API token may do, of what its owner may. The
// vocabulary is closed; a token without one may do nothing.
type Scope string

const (
	ReadScope     Scope = "items.read"  // find patients, list and see their pictures
	SendScope     Scope = "items.send"  // find and register patients, file pictures
	ReferralScope Scope = "referrals"   // ask, read and answer questions
	RecordsScope  Scope = "records"     // read dates, holds and certificates; record what happened to patients
	AuditScope    Scope = "audit.read"  // search the audit; get checkpoints and proofs
	StatusScope   Scope = "status.read" // see how each part of the system is
)

// ScopeDoc explains one Scope and lists the actions that it names.
type ScopeDoc struct {
	Scope   Scope
	Says    words.Text
	Actions []Action
}

// Scopes is the vocabulary, in the order that documents use. None holds an
// action of one's own account, so that no token makes another or changes a
// password, and none what a person must decide at a screen.
func Scopes() []ScopeDoc {
	return []ScopeDoc{
		{ReadScope, "Find patients, list and see their pictures", []Action{ListTeams, ListPeople, FindPatient, ListCases, ListItems, DescribeItem, ShowItem, SeeAnnotations}},
		{SendScope, "Find and register patients, file pictures", []Action{ListTeams, FindPatient, RegisterPatient, ListCases, OpenCase, UploadItem}},
		{ReferralScope, "Ask, read and answer questions", []Action{ListTeams, ListPeople, MakeReferral, ListReferrals, ReadReferral, AnswerReferral}},
		{RecordsScope, "Read dates, holds and certificates; record what happened to patients", []Action{ListTeams, ReadRecords, KeepRecords}},
		{AuditScope, "Search the audit; get checkpoints and proofs", []Action{ListTeams, ListPeople, ReadAudit}},
		{StatusScope, "See how each part of the system is", []Action{WatchSystem}},
	}
}

var scopes = Scopes() // read only

// Valid reports whether s is one of Scopes.
func (s Scope) Valid() bool {
	return slices.ContainsFunc(scopes, func(d ScopeDoc) bool { return d.Scope == s })
}

// scoped reports whether one of the scopes names a.
func scoped(has []Scope, a Action) bool {
	return slices.ContainsFunc(scopes, func(d ScopeDoc) bool { return slices.Contains(has, d.Scope) && slices.Contains(d.Actions, a) })
}

// JoinScopes writes scopes as one text, and SplitScopes reads it.
func JoinScopes(all []Scope) string {
	text := make([]string, len(all))
	for i, s := range all {
		text[i] = string(s)
	}
	return strings.Join(text, " ")
}

// SplitScopes reads what JoinScopes wrote.
func SplitScopes(text string) []Scope {
	var out []Scope
	for _, s := range strings.Fields(text) {
		out = append(out, Scope(s))
	}
	return out
}
