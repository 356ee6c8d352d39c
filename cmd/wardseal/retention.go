package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/handover"
	"github.com/wardseal/wardseal/internal/retention"
)

// retentionCmd is what can be done about retention without the server.
type retentionCmd struct {
	Verify retentionVerifyCmd `cmd:"" help:"Check a certificate of destruction, offline."`
	Check  retentionCheckCmd  `cmd:"" help:"Check a retention schedule (YAML), and print its rules."`
	Open   retentionOpenCmd   `cmd:"" help:"Check and unpack what another organisation handed over, offline."`
}

type retentionVerifyCmd struct {
	Key  string `required:"" placeholder:"HEX" help:"Public half of the key that must have signed, as wardseal keys public prints it."`
	File string `arg:"" type:"existingfile" help:"The certificate, as GET /api/v1/disposals/{id}/certificate gives it."`
}

// Run prints what the certificate says, and only if it is signed by the key.
func (r *retentionVerifyCmd) Run(out io.Writer) error {
	public, err := publicKey(r.Key)
	if err != nil {
		return err
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

type retentionOpenCmd struct {
	Package  string `arg:"" type:"existingfile" help:"The package, as it was fetched: an age file."`
	Identity string `required:"" type:"existingfile" placeholder:"FILE" help:"Your age identity, to whose recipient it is sealed."`
	Key      string `required:"" placeholder:"HEX" help:"Public half of the key that the sender signs with. Ask them for it by another way than the package came."`
	Out      string `required:"" short:"o" placeholder:"DIR" help:"Folder to unpack into, which must not be there yet."`
}

// Run unpacks a package that is whole and signed by the key, and leaves nothing
// of another.
func (r *retentionOpenCmd) Run(out io.Writer) error {
	public, err := publicKey(r.Key)
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(r.Identity)
	if err != nil {
		return err
	}
	ids, err := archive.ParseAnyIdentities(string(secret))
	if err != nil {
		return fmt.Errorf("read the identity: %w", err)
	}
	f, err := os.Open(r.Package)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := handover.Unpack(f, ids, public, r.Out)
	if err != nil {
		return fmt.Errorf("REFUSED, and nothing is left of it: %w", err)
	}
	fmt.Fprintf(out, "signed    handover %s of %s, from %s to %s\n", s.Handover, s.MadeAt.Format(time.RFC3339), s.From, s.To)
	fmt.Fprintf(out, "proposed  %s, %s\napproved  %s, %s\n", s.Proposed.Name, s.Proposed.At.Format(time.RFC3339), s.Approved.Name, s.Approved.At.Format(time.RFC3339))
	fmt.Fprintf(out, "unpacked  %d items, %d files, all as their hashes say\n", len(s.Items), len(s.Files))
	fmt.Fprintf(out, "with      annotations: %d, questions with their answers: %d; they are in the metadata.json of their items\n", s.Drawn, s.Asked)
	return nil
}

// publicKey reads the public half of a signing key, as keys public prints it.
func publicKey(text string) (ed25519.PublicKey, error) {
	public, err := hex.DecodeString(text)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return nil, errors.New("--key takes 64 hexadecimal digits")
	}
	return public, nil
}
