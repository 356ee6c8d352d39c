package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/backup"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/fsck"
)

// backupCmd makes a backup.
type backupCmd struct {
	config.Config `group:"Settings, as for serve"`

	To        string        `required:"" env:"WARDSEAL_BACKUP_TO" placeholder:"DIR|s3:BUCKET" help:"Where backups go: a folder, or a bucket that exists."`
	Place     config.Place  `embed:"" prefix:"place-" group:"The bucket of backups"`
	Recipient []string      `placeholder:"AGE1PQ…" help:"Seal the backup to this recipient too, beside escrow and root."`
	Keep      time.Duration `placeholder:"DURATION" help:"Remove backups older than this. Default: a day less than --backups-kept-for, so that a daily backup keeps what certificates promise; without that all are kept."`
	Workers   int           `default:"4" help:"How many objects are copied at once."`
}

// Run makes a backup while the server serves. Its status is 1 when objects were
// damaged or missing and are not in it, 2 when no backup was made.
func (b *backupCmd) Run(ctx context.Context, out io.Writer) error {
	keep, err := b.Config.KeepFor(b.Keep)
	if err != nil {
		return unchecked(err)
	}
	parts, err := config.OpenParts(ctx, b.Config)
	if err != nil {
		return unchecked(err)
	}
	defer parts.Close()
	place, err := b.Config.OpenPlace(b.To, b.Place, false)
	if err != nil {
		return unchecked(err)
	}
	m, err := parts.Maker(place, b.Recipient...)
	if err != nil {
		return unchecked(err)
	}
	m.Keep, m.Workers = keep, b.Workers
	if terminal(os.Stderr) {
		m.Progress = copying("copied", "in all")
	}
	made, err := m.Make(ctx)
	if err != nil {
		return unchecked(err)
	}
	man := made.Manifest
	rows := int64(0)
	for _, t := range man.Tables {
		rows += t.Rows
	}
	fmt.Fprintf(out, "backup %s of %s: %d rows, %d objects (%s)\n", man.ID, man.TakenAt.Format("2 January 2006, 15:04:05 MST"), rows, man.Objects, size(man.Bytes))
	fmt.Fprintf(out, "new in it: %d objects (%s) and %d parts of the database (%s)\n", made.NewObjects, size(made.NewBytes), made.NewParts, size(made.PartBytes))
	if len(made.Pruned) > 0 {
		fmt.Fprintf(out, "removed: %d backups older than %s\n", len(made.Pruned), keep)
	}
	if made.Locked > 0 {
		fmt.Fprintf(out, "note: %d things are locked in the place and could not be removed: keys of what was destroyed may be among them\n", made.Locked)
	}
	if n := int64(len(made.Damaged)) + made.MoreDamage; n > 0 {
		for _, key := range made.Damaged {
			fmt.Fprintf(out, "NOT in it: %s is missing or of the wrong length\n", key)
		}
		fmt.Fprintf(out, "%d objects could NOT be copied: run “wardseal fsck”\n", n)
		return statusWrong
	}
	return nil
}

// copying shows how far a copy is.
func copying(done, total string) func(int64, int64) {
	said := time.Time{}
	return func(a, b int64) {
		if now := time.Now(); now.Sub(said) >= time.Second {
			said = now
			fmt.Fprintf(os.Stderr, "\r\033[K%d objects %s, %d %s", a, done, b, total)
		}
	}
}

// restoreCmd restores a backup.
type restoreCmd struct {
	config.Config `group:"Settings, as for serve"`

	From           string       `required:"" env:"WARDSEAL_BACKUP_TO" placeholder:"DIR|s3:BUCKET" help:"Where the backups are."`
	Place          config.Place `embed:"" prefix:"place-" group:"The bucket of backups"`
	Backup         string       `placeholder:"NAME" help:"Which backup. Default: the latest."`
	List           bool         `help:"List the backups there are, and do nothing."`
	Check          bool         `help:"Read the whole database part of the backup, check its signature, and restore nothing."`
	opener         `group:"What opens the backup, if not the root identity"`
	Key            string `placeholder:"HEX" help:"The key that signs manifests, as “wardseal keys public” printed it on the first day. Without it the one inside the backup is believed."`
	ObjectsInPlace bool   `help:"The object store is the one that was backed up, and only the database was lost: what is there stays, and is read."`
	Salvage        bool   `help:"Go on where an object of the backup is damaged or missing, and name it. Without it such a backup is refused."`
	Workers        int    `default:"4" help:"How many objects are copied at once."`
}

// Run restores, and then reads every item. Its status is 1 when what was
// restored is not whole, 2 when nothing was restored.
func (r *restoreCmd) Run(ctx context.Context, out io.Writer) error {
	place, err := r.Config.OpenPlace(r.From, r.Place, true)
	if err != nil {
		return unchecked(err)
	}
	if r.List {
		ids, err := backup.List(ctx, place)
		if err != nil {
			return unchecked(err)
		}
		for _, id := range ids {
			fmt.Fprintln(out, id)
		}
		return nil
	}
	with, err := r.with()
	if err != nil {
		return unchecked(err)
	}
	to, err := config.OpenRestore(ctx, r.Config, place, with, r.Key)
	if err != nil {
		return unchecked(err)
	}
	defer to.Close()
	to.InPlace, to.Salvage, to.Workers = r.ObjectsInPlace, r.Salvage, r.Workers
	if terminal(os.Stderr) {
		to.Progress = copying("done", "in all")
	}
	man, err := to.Restorer.Check(ctx, r.Backup)
	if err != nil {
		return unchecked(fmt.Errorf("the backup is refused: %w", err))
	}
	fmt.Fprintf(out, "backup %s of %s is as it was signed: %d tables, %d objects (%s)\n", man.ID, man.TakenAt.Format("2 January 2006, 15:04:05 MST"), len(man.Tables), man.Objects, size(man.Bytes))
	if r.Key == "" {
		fmt.Fprintln(out, "note: the key that signed it is the one inside it; compare with --key")
	}
	if r.Check {
		return nil
	}
	done, err := to.Restore(ctx)
	if err != nil {
		return unchecked(fmt.Errorf("nothing was restored: %w", err))
	}
	if err := to.KeepEscrow(man.Escrow); err != nil {
		return unchecked(fmt.Errorf("keep the escrow recipient: %w", err))
	}
	fmt.Fprintf(out, "restored: %d rows, %d objects copied, %d that were there already\n", done.Rows, done.Copied, done.Kept)
	if done.Newer > 0 {
		fmt.Fprintf(out, "note: the store has %d objects that are newer than the backup. They have no keys any more; a server removes them an hour after it starts\n", done.Newer)
	}
	for _, lost := range done.Lost {
		fmt.Fprintf(out, "LOST: %s\n", lost)
	}
	if !config.HasRoot(r.Config) {
		n, err := recoverRoot(ctx, r.Config, with, nil)
		if err != nil {
			return unchecked(fmt.Errorf("it was restored; make a root identity for it: %w", err))
		}
		fmt.Fprintf(out, "%d keys are sealed to a new root identity, in %s, and to escrow\n", n, r.RootFile())
	}
	return r.prove(ctx, out, to)
}

// with gives what opens the backup: what was named, or the root.
func (r *restoreCmd) with() (keyring.Roots, error) {
	if r.Identity == "" && len(r.Share) == 0 {
		return config.Roots(r.Config)
	}
	return r.open()
}

// prove opens the deployment as a server would, which destroys again what had
// been destroyed since the backup, and reads every item.
func (r *restoreCmd) prove(ctx context.Context, out io.Writer, to *config.Restoring) error {
	if err := to.Close(); err != nil {
		return unchecked(err)
	}
	sys, err := config.Open(ctx, to.Config)
	if err != nil {
		return unchecked(fmt.Errorf("open what was restored: %w", err))
	}
	defer sys.Close()
	c := &fsck.Checker{Store: sys.Store, Objects: sys.Objects, Ring: sys.Ring, Workers: r.Workers, By: "restore"}
	c.Found = func(f fsck.Finding) error {
		_, err := fmt.Fprintln(out, f)
		return err
	}
	sum, err := c.Run(ctx, "")
	if err != nil {
		return unchecked(fmt.Errorf("it was restored; read it: %w", err))
	}
	fmt.Fprintf(out, "every object was read: %d (%s), of which %d are not as they should be\n", sum.Checked, size(sum.Bytes), sum.Wrong)
	fmt.Fprintln(out, "every session, token, link, invitation and visit was ended: what had been revoked after the backup must not come back")
	fmt.Fprintln(out, "the audit goes on from the backup. Checkpoints of later events, in a file or bucket, now prove events that are not here: give the server a new --audit-file or --audit-bucket, and keep the old one (docs/checkpoints.md)")
	if sum.Wrong > 0 || sum.Unchecked > 0 {
		return statusWrong
	}
	return nil
}
