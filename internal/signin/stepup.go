package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/storage/meta"
)

// SteppedUpFor is how long a session stays stepped up.
const SteppedUpFor = 5 * time.Minute

// Proof is what somebody shows to prove once more who they are: the password
// and, where they have a second factor, that.
type Proof struct {
	Password string
	Second   SecondProof
}

var errStepUp = fault.New(fault.Denied, "step-up-needed", "This needs proof that it is still you. Enter your password once more, and then do it again.")

// StepUp has who prove once more who they are, and marks their session as
// stepped up until the time it gives. Wrong proof counts and slows down like a
// wrong sign-in, and locks the account in the end. An API token cannot be
// stepped up: what asks for it is done by a person at a screen.
func (d *Door) StepUp(ctx context.Context, who access.Principal, proof Proof) (time.Time, error) {
	if a := access.Decide(who, access.OwnAccount, 0); a != access.Allow {
		return time.Time{}, denied(a)
	}
	p, err := d.people.Person(ctx, who.Person.ID)
	if err != nil {
		return time.Time{}, down(fmt.Errorf("find the account: %w", err))
	}
	has, err := d.factors.of(ctx, p.ID)
	if err != nil {
		return time.Time{}, err
	}
	if p.PasswordHash == "" {
		return time.Time{}, fault.New(fault.Denied, "no-password", "You have no password here. Sign in once more where you signed in, and then do it again.")
	}
	if err := d.password(ctx, p, who, proof.Password); err != nil {
		if fault.From(err).Code == errWrong.Code {
			err = fault.New(fault.Denied, "password-wrong", "The password is not right. Check it and try again.").In("password")
		}
		return time.Time{}, err
	}
	by := spending{by: "password"}
	if len(has) > 0 {
		if by, err = d.second(ctx, p, who, proof.Second); err != nil {
			return time.Time{}, err
		}
	}
	return d.mark(ctx, who, p, by)
}

// mark marks the session of who as stepped up.
func (d *Door) mark(ctx context.Context, who access.Principal, p meta.Person, by spending) (time.Time, error) {
	ev := audit.NewEvent(audit.SteppedUp, who, audit.Subject{Person: string(p.ID)}).With("by", by.by)
	until, err := d.people.StepUp(ctx, who.Session, p.ID, SteppedUpFor, by.Spend, ev)
	switch {
	case errors.Is(err, meta.ErrSpent):
		return time.Time{}, d.notProved(ctx, p, who, "code-used", by.refused())
	case errors.Is(err, meta.ErrNotFound):
		return time.Time{}, fault.New(fault.Denied, "step-up-session", "Only a session that somebody signed in to can prove this, not an API token.").With(err)
	}
	return until, down(err)
}

func (d *Door) steppedUp(ctx context.Context, who access.Principal, p meta.Person, by spending) error {
	_, err := d.mark(ctx, who, p, by)
	return err
}

// notProved counts wrong proof, and gives wrong unless that locks the account.
func (d *Door) notProved(ctx context.Context, p meta.Person, who access.Principal, reason string, wrong error) error {
	if err := d.failed(ctx, p, who, reason); fault.From(err).Code != errWrong.Code {
		return err
	}
	return wrong
}

// SteppedUp refuses who, unless their session is stepped up now. Flows ask it
// before disposal, exports and work on keys; pages answer the refusal, whose
// code is step-up-needed, with the way to StepUp.
func (d *Door) SteppedUp(ctx context.Context, who access.Principal) error {
	if a := access.Decide(who, access.OwnAccount, 0); a != access.Allow {
		return denied(a)
	}
	yes, err := d.people.SteppedUp(ctx, who.Session)
	if err != nil {
		return down(fmt.Errorf("look whether the session is stepped up: %w", err))
	}
	if !yes {
		return errStepUp
	}
	return nil
}
