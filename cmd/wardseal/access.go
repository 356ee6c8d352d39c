package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/config"
)

// accessCmd prints docs/access.md from the decision table.
type accessCmd struct{}

// Run prints the page.
func (accessCmd) Run(out io.Writer) error {
	var b strings.Builder
	b.WriteString("# Who may do what\n\nGenerated from the decision table (`wardseal access`); a test compares. What is not in the table is refused.\n\n")
	b.WriteString("- **yes**: the role is enough.\n- A relation: the person must stand in it to the item, now: *uploader* took the picture, *same team* is a member\n  of the team it belongs to, *referred* is addressed by a live link, *asked* by a referral that is not closed\n  (in person, by team or by role), *emergency* has taken emergency access to the patient,\n  *invited* visits by a live invitation.\n- **external** is no role of staff: somebody outside the organisation has it while a visit lasts.\n- **no**: refused, whatever the relation.\n\n")
	b.WriteString("| action | what it is |")
	for _, r := range access.Known() {
		fmt.Fprintf(&b, " %s |", r)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(access.Known())) + "\n")
	for _, rule := range access.Table() {
		fmt.Fprintf(&b, "| `%s` | %s |", rule.Action, rule.Says)
		for _, r := range access.Known() {
			need, ok := rule.Need[r]
			switch {
			case !ok:
				b.WriteString(" no |")
			case need == access.AnyRelation:
				b.WriteString(" **yes** |")
			default:
				fmt.Fprintf(&b, " %s |", need)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\nA role that may never do something is told so (403). A person whose role may, but who stands in no relation to the\nitem, is told the same as if it did not exist (404). Every refusal is in the audit.\n")
	b.WriteString("\n## API tokens\n\nA token may do what its scopes name, of what its owner may; a scope gives nobody anything. None names an action of\none's own account (but to see whose the token is, and to end it), and none what is done by a person at a screen.\n\n| scope | what it is | actions |\n|---|---|---|\n")
	for _, d := range access.Scopes() {
		fmt.Fprintf(&b, "| `%s` | %s |", d.Scope, d.Says)
		for i, a := range d.Actions {
			fmt.Fprintf(&b, "%s `%s`", map[bool]string{true: ","}[i > 0], a)
		}
		b.WriteString(" |\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// versionCmd prints the version.
type versionCmd struct{}

// Run prints it.
func (versionCmd) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, "wardseal", config.Version())
	return err
}
