package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/ledger"
)

// auditVerifyCmd checks the whole audit, or an export of it.
type auditVerifyCmd struct {
	config.Config `group:"Settings, as for serve"`

	Export     string `type:"existingfile" placeholder:"FILE" help:"Check this export (JSON Lines, whole) instead of a database; needs --checkpoint and --key."`
	Checkpoint string `type:"existingfile" placeholder:"FILE" help:"Signed checkpoints that were kept, to check the export against."`
	Key        string `placeholder:"KEY" help:"The key that signs checkpoints, as “wardseal audit key” printed it on the first day. Without it the one in the database is believed."`
}

// Run prints what was found. Its status is 0 only if everything is as it was
// recorded.
func (a *auditVerifyCmd) Run(ctx context.Context, out io.Writer) error {
	if (a.Export == "") == (a.Data == "") {
		return errors.New("say either --data, to check a database and its sinks, or --export, --checkpoint and --key")
	}
	check := a.database
	if a.Export != "" {
		check = a.export
	}
	found, key, err := check(ctx)
	var bad *audit.Fault
	if errors.As(err, &bad) {
		fmt.Fprintf(out, "the audit does NOT verify; the first that is wrong:\n%v\n", bad)
		return errQuiet
	}
	if err != nil {
		return fmt.Errorf("the audit does not verify: %w", err)
	}
	fmt.Fprintf(out, "%d events are as they were recorded; %d of them are under a signed checkpoint (%d checkpoints fit)\n", found.Events, found.Covered, found.Checkpoints)
	if found.Events > 0 {
		fmt.Fprintf(out, "root of %d events: %s\n", found.Events, base64.StdEncoding.EncodeToString(found.Root[:]))
	}
	fmt.Fprintf(out, "key: %s\n", key)
	for _, r := range found.Remarks {
		fmt.Fprintf(out, "note: %s\n", r)
	}
	return nil
}

func (a *auditVerifyCmd) database(ctx context.Context) (ledger.Verified, string, error) {
	var none ledger.Verified
	db, err := config.ReadDatabase(ctx, a.Config)
	if err != nil {
		return none, "", err
	}
	defer db.Close()
	key := a.Key
	if key == "" {
		if key, err = config.CheckpointKey(ctx, db); err != nil {
			return none, "", err
		}
	}
	public, err := note.NewVerifier(key)
	if err != nil {
		return none, "", errors.New("the key cannot be read: give it as “wardseal audit key” prints it")
	}
	sinks, err := a.Sinks()
	if err != nil {
		return none, "", err
	}
	found, err := ledger.Verify(ctx, db, public, sinks)
	if a.Key == "" {
		found.Remarks = append(found.Remarks, "the key is the one in this database: compare it with the one that was written down on the first day, or give that with --key")
	}
	if len(sinks) == 0 {
		found.Remarks = append(found.Remarks, "no sink is set: a database that was put back, whole, to an older state is not noticed without one")
	}
	return found, key, err
}

func (a *auditVerifyCmd) export(context.Context) (ledger.Verified, string, error) {
	var none ledger.Verified
	if a.Checkpoint == "" || a.Key == "" {
		return none, "", errors.New("--export needs --checkpoint and --key")
	}
	public, err := note.NewVerifier(a.Key)
	if err != nil {
		return none, "", errors.New("the key cannot be read: give it as “wardseal audit key” prints it")
	}
	checkpoints, err := os.ReadFile(a.Checkpoint)
	if err != nil {
		return none, "", err
	}
	f, err := os.Open(a.Export)
	if err != nil {
		return none, "", err
	}
	defer f.Close()
	found, err := ledger.VerifyExport(f, checkpoints, public)
	return found, a.Key, err
}

// auditKeyCmd prints the public half of the key that signs checkpoints.
type auditKeyCmd struct {
	config.Config `group:"Settings, as for serve"`
}

// Run prints it.
func (a *auditKeyCmd) Run(ctx context.Context, out io.Writer) error {
	db, err := config.ReadDatabase(ctx, a.Config)
	if err != nil {
		return err
	}
	defer db.Close()
	key, err := config.CheckpointKey(ctx, db)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, key)
	return err
}

// auditCheckpointCmd prints the latest checkpoint.
type auditCheckpointCmd struct {
	config.Config `group:"Settings, as for serve"`
}

// Run prints it.
func (a *auditCheckpointCmd) Run(ctx context.Context, out io.Writer) error {
	db, err := config.ReadDatabase(ctx, a.Config)
	if err != nil {
		return err
	}
	defer db.Close()
	l, err := db.Ledger(ctx)
	if err != nil {
		return err
	}
	if l.Checkpoint.Size == 0 {
		return errors.New("there is no checkpoint yet")
	}
	_, err = out.Write(l.Checkpoint.Note)
	return err
}
