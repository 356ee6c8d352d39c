package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/wardseal/wardseal/internal/audit"
)

// auditCmd is what auditors do.
type auditCmd struct {
	Events     auditEventsCmd     `cmd:"" help:"Print the vocabulary of audit events, as docs/audit.md has it."`
	Verify     auditVerifyCmd     `cmd:"" help:"Check every event, the tree over them and every signed checkpoint; the status is 1 and the first bad event is named when something was changed."`
	Key        auditKeyCmd        `cmd:"" help:"Print the public half of the key that signs checkpoints: write it down on the first day."`
	Checkpoint auditCheckpointCmd `cmd:"" help:"Print the latest signed checkpoint."`
}

// auditEventsCmd prints docs/audit.md.
type auditEventsCmd struct{}

// Run prints the page.
func (auditEventsCmd) Run(out io.Writer) error {
	var b strings.Builder
	b.WriteString(`# What the audit records

Generated from the vocabulary (` + "`wardseal audit events`" + `); a test compares. The vocabulary is closed: nothing else is recorded.

An event is committed in the same transaction as what it describes and, for a disclosure, before the first byte leaves. Where no
event can be written, nothing is disclosed and nothing is changed. Events are numbered without gaps in the order in which they
were committed. They name people, items and patients by identifiers that mean nothing outside; never a patient number, a name,
free text, a token or a key.

The events are the leaves of a signed tree, so that a change to them is noticed: see [checkpoints.md](checkpoints.md).

Each event holds: number, identifier, time (of the database), type, who acted and in which session, the request, what it is
about, and a few facts from a closed set.

| type | what happened |
|---|---|
`)
	for _, d := range audit.Types() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", d.Type, d.Says)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
