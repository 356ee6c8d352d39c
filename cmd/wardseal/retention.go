package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/retention"
)

// retentionCmd is what can be done about retention without the server.
type retentionCmd struct {
	Verify retentionVerifyCmd `cmd:"" help:"Check a certificate of destruction, offline."`
	Check  retentionCheckCmd  `cmd:"" help:"Check a retention schedule (YAML), and print its rules."`
}

type retentionVerifyCmd struct {
	Key  string `required:"" placeholder:"HEX" help:"Public half of the key that must have signed, as wardseal keys public prints it."`
	File string `arg:"" type:"existingfile" help:"The certificate, as GET /api/v1/disposals/{id}/certificate gives it."`
}

// Run prints what the certificate says, and only if it is signed by the key.
func (r *retentionVerifyCmd) Run(out io.Writer) error {
	public, err := hex.DecodeString(r.Key)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return errors.New("--key takes 64 hexadecimal digits")
	}
	text, err := os.ReadFile(r.File)
	if err != nil {
		return err
	}
	c, err := disposal.VerifyCertificate(public, text)
	if err != nil {
		return errors.New("REFUSED: this certificate was not signed by that key, or was changed since")
	}
	kind := "interim: backups may hold keys until " + c.Backups.LastGone.Format(time.RFC3339)
	if c.Final {
		kind = "final"
	}
	fmt.Fprintf(out, "signed     certificate of batch %s, %s (%s)\n", c.Batch, c.Organisation, kind)
	fmt.Fprintf(out, "ground     %s\nproposed   %s, %s\napproved   %s, %s\nfinished   %s\n", c.Ground, c.Proposed.Name, c.Proposed.At.Format(time.RFC3339),
		c.Approved.Name, c.Approved.At.Format(time.RFC3339), c.FinishedAt.Format(time.RFC3339))
	if s := c.Schedule; s != nil {
		fmt.Fprintf(out, "schedule   %s, edition %s, version %d\n", s.Jurisdiction, s.Edition, s.Version)
	}
	for _, l := range c.Destroyed {
		fmt.Fprintf(out, "destroyed  %s  %s  %d bytes  SHA-256 %s\n", l.Item, l.Format, l.Bytes, l.PlainSHA256)
	}
	for _, s := range c.Spared {
		fmt.Fprintf(out, "spared     %s  %s\n", s.Item, s.Why)
	}
	return nil
}

type retentionCheckCmd struct {
	File string `arg:"" type:"existingfile" help:"The schedule."`
}

// Run prints the rules of a schedule that is whole.
func (r *retentionCheckCmd) Run(out io.Writer) error {
	text, err := os.ReadFile(r.File)
	if err != nil {
		return err
	}
	s, err := retention.Parse(text)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, edition %s: %s\n", s.Title, s.Edition, s.Source)
	for _, rule := range s.Rules {
		fmt.Fprintf(out, "%-14s  %s (%s)\n", rule.Class, rule.Words(), rule.Kind)
	}
	return nil
}
