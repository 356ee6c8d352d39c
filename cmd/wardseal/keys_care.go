package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/custody"
)

// settings are those of the server whose keys are cared for.
type settings struct {
	config.Config `group:"Settings, as for serve"`
}

// custody opens the database and the keys at the top for as long as do takes.
func (s settings) custody(ctx context.Context, look bool, do func(*custody.Desk) error) error {
	roots, err := config.Roots(s.Config)
	if err != nil {
		return err
	}
	escrow, err := config.Escrow(s.Config)
	if err != nil {
		return err
	}
	return caring(ctx, s.Config, roots, escrow, look, do)
}

// caring is custody with other keys at the top than the settings name.
func caring(ctx context.Context, c config.Config, roots keyring.Roots, escrow []keyring.Recipient, look bool, do func(*custody.Desk) error) error {
	desk, done, err := config.Custody(ctx, c, roots, escrow, look)
	if err != nil {
		return err
	}
	err = do(desk)
	if closed := done(); closed != nil {
		return errors.Join(err, closed)
	}
	return err
}

type keysStatusCmd struct{ settings }

func (k *keysStatusCmd) Run(ctx context.Context, out io.Writer) error {
	return k.custody(ctx, true, func(desk *custody.Desk) error {
		st, err := desk.Status(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "root identities: %d\nescrow recipients: %d\n\n", st.Roots, st.Escrow)
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "KEY\tPURPOSE\tPERIOD\tMADE\tSEALED TO\tOPENS\tWRAPS\t")
		for _, key := range st.Keys {
			opens, wraps, period := "yes", "", key.Period
			if !key.Opens {
				opens = "NO"
			}
			if key.Purpose == keyring.PurposeKEK {
				wraps = fmt.Sprint(key.Wraps)
			}
			if key.Old {
				period += " (replaced)"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t\n", key.ID, key.Purpose, period, key.CreatedAt.Format("2006-01-02"), key.SealedTo, opens, wraps)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
		for _, line := range st.ToDo {
			fmt.Fprintln(out, "TO DO:", line)
		}
		if len(st.ToDo) > 0 {
			return errQuiet
		}
		fmt.Fprintln(out, "Nothing is to be done.")
		return nil
	})
}

type keysRotateCmd struct {
	KEK    keysRotateKEKCmd    `cmd:"" name:"kek" help:"Make a new key-encryption key, take every item to it, and retire the older ones. No object is rewritten. Cut short, it is finished by running it again."`
	Root   keysRotateRootCmd   `cmd:"" help:"Make a new root identity beside the old; with --finish, once every server has it, put the old one out of use."`
	Intake keysRotateIntakeCmd `cmd:"" help:"Make a new identity for phones to encrypt to. Older ones still open what phones hold."`
}

type keysRotateKEKCmd struct {
	settings
	Settle time.Duration `default:"60s" help:"How long to wait until every server knows the new key; 0s only when none is running."`
}

func (k *keysRotateKEKCmd) Run(ctx context.Context, out io.Writer) error {
	return k.custody(ctx, false, func(desk *custody.Desk) error {
		desk.Settle = k.Settle
		began, told := time.Now(), time.Time{}
		n, err := desk.RotateKEK(ctx, func(p custody.Progress) {
			switch {
			case p.Step == "settling" && k.Settle > 0:
				fmt.Fprintf(out, "%d of %d taken over; waiting until %s, when every server knows the new key\n", p.Done, p.All, p.Until.Format("15:04:05"))
			case p.Step == "rewrapping" && time.Since(told) > 2*time.Second:
				told = time.Now()
				rate := float64(p.Done) / time.Since(began).Seconds()
				fmt.Fprintf(out, "%d of %d taken over, %.0f a second\n", p.Done, p.All, rate)
			}
		})
		if err != nil {
			return fmt.Errorf("%w (run it again to go on)", err)
		}
		fmt.Fprintf(out, "%d keys of items taken over; the older key-encryption keys are retired\n", n)
		return nil
	})
}

type keysRotateRootCmd struct {
	settings
	Finish        bool     `help:"Every server has the new root file: seal the keys to the new root alone, and take the old one out of the file."`
	RootRecipient []string `placeholder:"AGE1…" help:"Encrypt the new root file to this age recipient."`
}

func (k *keysRotateRootCmd) Run(ctx context.Context, out io.Writer) error {
	return k.custody(ctx, false, func(desk *custody.Desk) error {
		with := desk.Roots
		if k.Finish {
			if desk.Roots = with.Newest(); with.Len() < 2 {
				return errors.New("there is one root identity, and no other to put out of use: run “wardseal keys rotate root” first")
			}
			n, err := desk.Reseal(ctx, with, "root replaced")
			if err != nil {
				return err
			}
			if err := config.WriteRoots(k.Config, desk.Roots, k.RootRecipient); err != nil {
				return fmt.Errorf("%d keys are sealed to the new root alone; take the old one out of the root file yourself: %w", n, err)
			}
			fmt.Fprintf(out, "%d keys are sealed to the new root and to escrow; the old root opens nothing any more\nGive every server the new %s, and destroy the copies of the old one.\n", n, k.RootFile())
			return nil
		}
		if with.Len() < 2 { // else it was begun before
			identity, _, err := keyring.MintRoot()
			if err != nil {
				return err
			}
			if desk.Roots, err = keyring.LoadRoots(strings.NewReader(identity + "\n" + with.Reveal())); err != nil {
				return err
			}
			if err := config.WriteRoots(k.Config, desk.Roots, k.RootRecipient); err != nil {
				return fmt.Errorf("write the root file: %w", err)
			}
		}
		n, err := desk.Reseal(ctx, with, "root being replaced")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%d keys are sealed to the new root, the old one and escrow\nGive every server the new %s and restart it; then run “wardseal keys rotate root --finish”.\n", n, k.RootFile())
		return nil
	})
}

type keysRotateIntakeCmd struct{ settings }

func (k *keysRotateIntakeCmd) Run(ctx context.Context, out io.Writer) error {
	return k.custody(ctx, false, func(desk *custody.Desk) error {
		key, err := desk.RotateIntake(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "intake key %s: phones are told of it when they next ask\n", key.ID)
		return nil
	})
}

type keysEscrowCmd struct {
	Split  keysEscrowSplitCmd  `cmd:"" help:"Split the escrow identity into shares, of which some together open what it opens. Offline; needs no database."`
	Check  keysEscrowCheckCmd  `cmd:"" help:"Try whether an escrow identity, or shares of it, opens every key. Changes nothing."`
	Change keysEscrowChangeCmd `cmd:"" help:"Seal every key to the recipients that the root and escrow files name now."`
}

// opener is what opens the keys when the root does not.
type opener struct {
	Identity string   `type:"existingfile" placeholder:"FILE" help:"The escrow identity."`
	Share    []string `type:"existingfile" placeholder:"FILE" help:"A share of it; once for each share."`
}

func (o opener) open() (keyring.Roots, error) {
	if (o.Identity == "") == (len(o.Share) == 0) {
		return keyring.Roots{}, errors.New("say either --identity or, for each share, --share")
	}
	if o.Identity != "" {
		f, err := os.Open(o.Identity)
		if err != nil {
			return keyring.Roots{}, err
		}
		defer f.Close()
		return keyring.LoadRoots(f)
	}
	var shares []keyring.Share
	for _, path := range o.Share {
		f, err := os.Open(path)
		if err != nil {
			return keyring.Roots{}, err
		}
		s, err := keyring.ParseShare(f)
		_ = f.Close()
		if err != nil {
			return keyring.Roots{}, fmt.Errorf("%s: %w", path, err)
		}
		shares = append(shares, s)
	}
	return keyring.JoinEscrow(shares)
}

type keysEscrowSplitCmd struct {
	Identity string `required:"" type:"existingfile" placeholder:"FILE" help:"The escrow identity, as “keys init” wrote it."`
	Shares   int    `default:"5" help:"How many shares to make."`
	Needed   int    `default:"3" help:"How many of them together open."`
	Out      string `required:"" type:"path" placeholder:"DIR" help:"Where to write the shares, a file for each."`
}

func (k *keysEscrowSplitCmd) Run(out io.Writer) error {
	ids, err := opener{Identity: k.Identity}.open()
	if err != nil {
		return err
	}
	if ids.Len() != 1 {
		return errors.New("there is more than one identity in this file: split each by itself")
	}
	shares, err := keyring.SplitEscrow(ids.Reveal(), k.Shares, k.Needed)
	if err != nil {
		return err
	}
	for i, s := range shares {
		path := filepath.Join(k.Out, fmt.Sprintf("share-%d-of-%d.txt", s.Number, k.Shares))
		text := s.Reveal()
		// Read back before the identity may be destroyed.
		if again, err := keyring.ParseShare(strings.NewReader(text)); err != nil {
			return err
		} else if shares[i] = again; again.Number != s.Number {
			return errors.New("a share is not written as it is")
		}
		if err := config.NewSecretFile(path, text); err != nil {
			return fmt.Errorf("write a share: %w", err)
		}
		fmt.Fprintln(out, path)
	}
	joined, err := keyring.JoinEscrow(shares[:k.Needed])
	if err != nil || joined.Reveal() != ids.Reveal() {
		return errors.Join(errors.New("the shares do not give the identity back: do not use them"), err)
	}
	fmt.Fprintf(out, "Any %d of these %d open everything; fewer open nothing. Give each to another person, try them with “wardseal keys escrow check”, then destroy %s.\n", k.Needed, k.Shares, k.Identity)
	return nil
}

type keysEscrowCheckCmd struct {
	settings
	opener
}

func (k *keysEscrowCheckCmd) Run(ctx context.Context, out io.Writer) error {
	ids, err := k.open()
	if err != nil {
		return err
	}
	return caring(ctx, k.Config, ids, nil, true, func(desk *custody.Desk) error {
		st, err := desk.Status(ctx)
		if err != nil {
			return err
		}
		shut := 0
		for _, key := range st.Keys {
			if !key.Opens {
				shut++
				fmt.Fprintf(out, "does not open: key %s (%s %s)\n", key.ID, key.Purpose, key.Period)
			}
		}
		if shut > 0 || len(st.Keys) == 0 {
			fmt.Fprintf(out, "%d of %d keys open\n", len(st.Keys)-shut, len(st.Keys))
			return errQuiet
		}
		fmt.Fprintf(out, "all %d keys open: with this escrow, a lost root loses nothing\n", len(st.Keys))
		return nil
	})
}

type keysEscrowChangeCmd struct{ settings }

func (k *keysEscrowChangeCmd) Run(ctx context.Context, out io.Writer) error {
	return k.custody(ctx, false, func(desk *custody.Desk) error {
		n, err := desk.Reseal(ctx, desk.Roots, "escrow changed")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%d keys are sealed to %d root identities and the %d escrow recipients of %s, and to nobody else\nBackups made before open with the escrow of then: keep it as long as them.\n", n, desk.Roots.Len(), len(desk.Escrow), k.EscrowFile())
		return nil
	})
}

type keysRecoverCmd struct {
	settings
	opener
	RootRecipient []string `placeholder:"AGE1…" help:"Encrypt the new root file to this age recipient."`
}

func (k *keysRecoverCmd) Run(ctx context.Context, out io.Writer) error {
	with, err := k.open()
	if err != nil {
		return err
	}
	if config.HasRoot(k.Config) {
		return fmt.Errorf("there is a root file at %s, or its like: move it away if it is not the right one, and keep it", k.RootFile())
	}
	n, err := recoverRoot(ctx, k.Config, with, k.RootRecipient)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d keys are sealed to a new root identity, in %s, and to escrow\nThe escrow identity was in use here: if it was seen by anybody, make a new one and run “wardseal keys escrow change”.\n", n, k.RootFile())
	return nil
}

// recoverRoot makes a new root identity and seals every key to it and to escrow.
func recoverRoot(ctx context.Context, c config.Config, with keyring.Roots, recipients []string) (n int, err error) {
	escrow, err := config.Escrow(c)
	if err != nil {
		return 0, err
	}
	identity, _, err := keyring.MintRoot()
	if err != nil {
		return 0, err
	}
	roots, err := keyring.LoadRoots(strings.NewReader(identity))
	if err != nil {
		return 0, err
	}
	err = caring(ctx, c, roots, escrow, false, func(desk *custody.Desk) error {
		// The file first: keys that are sealed to a root which is nowhere would
		// wait for escrow again.
		if err := config.WriteRoots(c, roots, recipients); err != nil {
			return fmt.Errorf("write the root file: %w", err)
		}
		if n, err = desk.Reseal(ctx, with, "recovered with escrow"); err != nil {
			return errors.Join(fmt.Errorf("the keys stay as they were: %w", err), os.Remove(c.RootFile()))
		}
		return nil
	})
	return n, err
}
