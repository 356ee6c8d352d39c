package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/jobs"
	"github.com/wardseal/wardseal/internal/mail"
	"github.com/wardseal/wardseal/internal/notice"
	"github.com/wardseal/wardseal/storage/meta"
)

// NotifyStore is what telling people needs of the database.
type NotifyStore interface {
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
}

// Notifier tells staff by mail that something waits for them.
type Notifier struct {
	Store NotifyStore
	Send  func(ctx context.Context, to, subject, body string) error
	Base  string // address of the server
}

// Handlers do the jobs that tell people.
func (n *Notifier) Handlers() map[string]jobs.Handler {
	out := map[string]jobs.Handler{}
	for _, k := range notice.Kinds() {
		out[string(k)] = func(ctx context.Context, j jobs.Job) error { return n.tell(ctx, k, j.Person) }
	}
	return out
}

func (n *Notifier) tell(ctx context.Context, k notice.Kind, id access.PersonID) error {
	p, err := n.Store.Person(ctx, id)
	if err != nil {
		return fmt.Errorf("find whom to tell: %w", err)
	}
	if p.Suspended || p.Email == "" {
		return nil // since the job was made
	}
	subject, body := k.Text(n.Base)
	err = n.Send(ctx, p.Email, subject, body)
	if errors.Is(err, mail.ErrAddress) {
		return jobs.Permanent("address-refused")
	}
	return err
}
