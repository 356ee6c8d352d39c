package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/jobs"
	"github.com/wardseal/wardseal/internal/notice"
	"github.com/wardseal/wardseal/internal/push"
	"github.com/wardseal/wardseal/storage/meta"
)

// PushStore is what telling browsers needs of the database, besides the gate.
type PushStore interface {
	AddPush(ctx context.Context, p meta.PushSubscription, ev audit.Event) error
	PushesTo(ctx context.Context, id access.PersonID) ([]meta.PushSubscription, error)
	RemovePush(ctx context.Context, id access.PersonID, address []byte, ev audit.Event) error
	ForgetPush(ctx context.Context, id string) error
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
}

// Pushes tells people's browsers that something waits.
type Pushes struct {
	Gate   GateStore
	Store  PushStore
	Ring   *keyring.Ring
	Sender *push.Sender // nil: no browser is told
}

// Browser is where one browser is told, as it says itself.
type Browser = push.Subscription

// pushFor is how long a service keeps a message for a browser that is away.
const pushFor = 12 * time.Hour

// Key is what browsers subscribe with; empty when none is told.
func (s *Pushes) Key(ctx context.Context, who access.Principal) (string, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.OwnAccount); err != nil || s.Sender == nil {
		return "", err
	}
	return s.Sender.Public(), nil
}

// Subscribe has a browser told what waits for who.
func (s *Pushes) Subscribe(ctx context.Context, who access.Principal, sub Browser) error {
	if err := (gate{s.Gate}).role(ctx, who, access.OwnAccount); err != nil {
		return err
	}
	if s.Sender == nil {
		return fault.New(fault.Conflict, "push-missing", "This system does not tell browsers that something waits. Ask your administrator.")
	}
	if !s.Sender.Accepts(sub) {
		return fault.New(fault.Invalid, "push-service", "Your browser’s service for messages is not one that this system may use. Ask your administrator, or use e-mail.").In("endpoint")
	}
	text, err := json.Marshal(sub)
	if err != nil {
		return err
	}
	p := meta.PushSubscription{ID: uuid.Must(uuid.NewV7()).String(), Person: who.Person.ID, Address: s.address(sub.Endpoint)}
	f := fields{ring: s.Ring, table: "push_subscriptions", row: p.ID}
	if p.Subscription = f.seal("subscription", string(text)); f.err != nil {
		return f.err
	}
	return down(s.Store.AddPush(ctx, p, audit.NewEvent(audit.PersonChanged, who, audit.Subject{Person: string(who.Person.ID)}).With("what", "push-added")))
}

func (s *Pushes) address(endpoint string) []byte {
	return s.Ring.Index("push address", []byte(endpoint))
}

// Unsubscribe has a browser of who's told no more.
func (s *Pushes) Unsubscribe(ctx context.Context, who access.Principal, endpoint string) error {
	if err := (gate{s.Gate}).role(ctx, who, access.OwnAccount); err != nil {
		return err
	}
	return down(s.Store.RemovePush(ctx, who.Person.ID, s.address(endpoint), audit.NewEvent(audit.PersonChanged, who, audit.Subject{Person: string(who.Person.ID)}).With("what", "push-removed")))
}

// Handlers do the jobs that tell browsers.
func (s *Pushes) Handlers() map[string]jobs.Handler {
	return map[string]jobs.Handler{notice.Push: s.tell}
}

// tell tells every browser of a person. A job that is tried again tells all of
// them again; the services keep one message of a topic, so none shows twice.
func (s *Pushes) tell(ctx context.Context, j jobs.Job) error {
	p, err := s.Store.Person(ctx, j.Person)
	if err != nil {
		return fmt.Errorf("find whom to tell: %w", err)
	}
	if p.Suspended {
		return nil
	}
	subs, err := s.Store.PushesTo(ctx, j.Person)
	if err != nil {
		return fmt.Errorf("find where to tell: %w", err)
	}
	var failed error
	for _, row := range subs {
		f := fields{ring: s.Ring, table: "push_subscriptions", row: row.ID}
		var sub Browser
		text := f.open("subscription", row.Subscription)
		if f.err != nil {
			return f.err
		}
		if err := json.Unmarshal([]byte(text), &sub); err != nil {
			return errors.New("a subscription cannot be read")
		}
		err := s.Sender.Send(ctx, sub, notice.PushText, pushFor)
		if errors.Is(err, push.ErrGone) {
			err = s.Store.ForgetPush(ctx, row.ID)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}
