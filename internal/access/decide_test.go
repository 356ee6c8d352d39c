package access_test

import (
	"testing"

	"github.com/wardseal/wardseal/internal/access"
)

func person(role access.Role) access.Principal {
	return access.Principal{Person: access.Person{ID: "p", Role: role}}
}

func TestNobodyMayDoAnything(t *testing.T) {
	suspended := person(access.Administrator)
	suspended.Person.Suspended = true
	for _, p := range []access.Principal{{}, person(""), person("chief"), suspended} {
		for _, rule := range access.Table() {
			if access.Decide(p, rule.Action, ^access.Relation(0)) != access.DenyNobody {
				t.Errorf("%+v may %s", p, rule.Action)
			}
		}
	}
}

func TestUnknownActionIsDenied(t *testing.T) {
	for _, role := range access.Roles() {
		for _, a := range []access.Action{"", "item.destroy"} {
			if access.Decide(person(role), a, ^access.Relation(0)) == access.Allow {
				t.Errorf("%s may %q", role, a)
			}
		}
	}
}

// Somebody outside may do one thing, with what they are invited to, and no
// member of staff may do it.
func TestOutside(t *testing.T) {
	for _, rule := range access.Table() {
		want := access.DenyRole
		if rule.Action == access.SeeInvited {
			want = access.Allow
		}
		if got := access.Decide(person(access.External), rule.Action, access.Invited); got != want {
			t.Errorf("somebody outside: %s: %d", rule.Action, got)
		}
	}
	if got := access.Decide(person(access.External), access.SeeInvited, ^access.Invited); got != access.DenyRelation {
		t.Errorf("without an invitation: %d", got)
	}
	for _, role := range access.Roles() {
		if role == access.External || access.Decide(person(role), access.SeeInvited, ^access.Relation(0)) != access.DenyRole {
			t.Errorf("%s is let in as somebody outside", role)
		}
	}
	if access.External.Valid() {
		t.Error("a member of staff can be somebody outside")
	}
}

func TestPictures(t *testing.T) {
	for _, c := range []struct {
		role access.Role
		a    access.Action
		rel  access.Relation
		want access.Decision
	}{
		{access.Clinician, access.ShowItem, access.Uploader, access.Allow},
		{access.Clinician, access.ShowItem, access.SameTeam, access.Allow},
		{access.Consultant, access.ShowOpened, access.Referred, access.Allow},
		{access.Consultant, access.ShowItem, access.Referred, access.DenyRelation}, // a link is opened first
		{access.Consultant, access.ShowItem, 0, access.DenyRelation},
		{access.RecordsOfficer, access.ShowItem, access.SameTeam, access.DenyRole},
		{access.RecordsOfficer, access.DescribeItem, 0, access.Allow},
		{access.Auditor, access.ShowItem, access.Referred, access.DenyRole},
		{access.Auditor, access.DescribeItem, access.SameTeam, access.DenyRole},
		{access.Administrator, access.ShowItem, access.SameTeam, access.DenyRole},
		{access.Consultant, access.MakeLink, access.Referred, access.DenyRelation}, // what was shared is not shared on
		{access.Consultant, access.OpenLink, access.SameTeam, access.DenyRelation}, // a link is for its audience
		{access.Clinician, access.ReadAudit, access.Uploader, access.DenyRole},
	} {
		if got := access.Decide(person(c.role), c.a, c.rel); got != c.want {
			t.Errorf("%s %s as %s: %d, want %d", c.role, c.a, c.rel, got, c.want)
		}
	}
}

// With a password that somebody else chose one may choose one's own, and
// nothing else; a token is not a password.
func TestFirstPassword(t *testing.T) {
	for _, role := range access.Roles() {
		p := person(role)
		p.FirstPassword, p.NoFactor = true, true
		for _, rule := range access.Table() {
			want := access.DenyPassword
			if rule.Action == access.ChoosePassword {
				want = access.Allow
			}
			if got := access.Decide(p, rule.Action, ^access.Relation(0)); got != want {
				t.Errorf("%s: %s: %d", role, rule.Action, got)
			}
		}
	}
}
