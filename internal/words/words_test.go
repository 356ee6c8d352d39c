package words

import "testing"

// backwards is a language with a plural of three forms.
type backwards map[string]string

func (b backwards) Form(_, english string) (string, bool) { s, ok := b[english]; return s, ok }

func (b backwards) Plural(one, _ string, n int) (string, bool) {
	s, ok := b[one+[]string{"", " two", " many"}[min(max(n-1, 0), 2)]]
	return s, ok
}

func TestText(t *testing.T) {
	l := backwards{
		"{who} asked {whom}": "{whom}<-{who}", "Nobody": "NOBODY", "Any clinician": "ANYC", "Sign in": "NGIS",
		"{n} link": "{n} a", "{n} link two": "{n} b", "{n} link many": "{n} c of {whose}", "Left: {what}": "{what} LEFT",
	}
	links := func(n int) Text { return Count(n, "{n} link", "{n} links") }
	for name, c := range map[string]struct {
		text          Text
		english, says string
		has           bool
	}{
		"a constant":                {"Sign in", "Sign in", "NGIS", true},
		"nothing":                   {"", "", "", true},
		"what the language has not": {"Sign out", "Sign out", "Sign out", false},
		"gaps in another order":     {Say("{who} asked {whom}", "Example", Text("Any clinician")), "Example asked Any clinician", "ANYC<-Example", true},
		"data that is a sentence":   {Say("{who} asked {whom}", "Nobody", Data("Sign in")), "Nobody asked Sign in", "Sign in<-Nobody", true},
		"data that would be marks":  {Say("{who} asked {whom}", "a\x1fb\x03", "{who}"), "ab asked {who}", "{who}<-ab", true},
		"one":                       {links(1), "1 link", "1 a", true},
		"two":                       {links(2), "2 links", "2 b", true},
		"a number within a text":    {Say("Left: {what}", links(1)), "Left: 1 link", "1 a LEFT", true},
		"data":                      {Data("Sign in"), "Sign in", "Sign in", true},
		"several":                   {Join([]Text{"Sign in", Data("x"), links(2)}, ", "), "Sign in, x, 2 links", "NGIS, x, 2 b", true},
		"what is left out":          {Say("{who} saw [{what}|it][ of {whom}]", "Example", "", ""), "Example saw it", "Example saw it", false},
		"what is not":               {Say("{who} saw [{what}|it][ of {whom}]", "Example", "a", "b"), "Example saw a of b", "Example saw a of b", false},
		"a capital":                 {Sentence(Say("{who} asked {whom}", "é", "f")), "É asked f", "F<-é", true},
		"a capital within":          {Say("Left: {what}", Sentence("x")), "Left: X", "X LEFT", true},
		"nothing in a gap":          {Say("{who} asked {whom}", Text(""), ""), " asked ", "<-", true},
	} {
		if got := c.text.String(); got != c.english {
			t.Errorf("%s in English: %q", name, got)
		}
		if got, has := c.text.In(l); got != c.says || has != c.has {
			t.Errorf("%s: %q, %v", name, got, has)
		}
	}
	if b, err := links(3).MarshalText(); string(b) != "3 links" || err != nil {
		t.Errorf("for the API: %q, %v", b, err)
	}
}
