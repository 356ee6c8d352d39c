package referral_test

import (
	"testing"

	"github.com/wardseal/wardseal/internal/referral"
)

func TestNext(t *testing.T) {
	const asking, asked = referral.Asking, referral.Asked
	states := []referral.State{referral.Waiting, referral.More, referral.Answered}
	for _, c := range []struct {
		kind referral.Kind
		side referral.Side
		want referral.State // empty: may not be
	}{
		{referral.Answer, asked, referral.Answered}, {referral.Answer, asking, ""}, {referral.Answer, asking | asked, referral.Answered},
		{referral.AskMore, asked, referral.More}, {referral.AskMore, asking, ""},
		{referral.Note, asking, referral.Waiting}, {referral.Note, asked, ""},
		{referral.Items, asking, referral.Waiting}, {referral.Items, asked, ""},
		{referral.Close, asking, referral.Closed}, {referral.Close, asked, referral.Closed},
		{referral.Reopen, asking, ""}, {referral.Reopen, asked, ""},
		{"shout", asking | asked, ""}, {"", asking | asked, ""},
		{referral.Answer, 0, ""}, {referral.Close, 0, ""}, {referral.Note, 0, ""},
	} {
		for _, s := range states {
			next, ok := referral.Next(s, c.kind, c.side)
			if ok != (c.want != "") || ok && next != c.want {
				t.Errorf("%q by %d while %s: %s, %v", c.kind, c.side, s, next, ok)
			}
		}
	}
	for _, k := range []referral.Kind{referral.Answer, referral.AskMore, referral.Note, referral.Items, referral.Close} {
		if _, ok := referral.Next(referral.Closed, k, asking|asked); ok {
			t.Errorf("%q while closed", k)
		}
	}
	if s, ok := referral.Next(referral.Closed, referral.Reopen, asking); !ok || s != referral.Waiting {
		t.Errorf("reopened: %s, %v", s, ok)
	}
	if _, ok := referral.Next(referral.Closed, referral.Reopen, asked); ok {
		t.Error("whom it asked opens it again")
	}
}
