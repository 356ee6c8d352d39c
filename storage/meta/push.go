package meta

import (
	"context"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// PushSubscription is where one browser is told that something waits.
type PushSubscription struct {
	ID           string
	Person       access.PersonID
	Address      []byte       // keyed hash of the browser's address
	Subscription media.Sealed // bound to ID
}

// maxBrowsers is how many browsers tell one person; the oldest make way.
const maxBrowsers = 10

// AddPush adds a browser. One that was another person's is this one's now.
func (s *Store) AddPush(ctx context.Context, p PushSubscription, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if _, err := t.exec("DELETE FROM push_subscriptions WHERE address = ?", p.Address); err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO push_subscriptions (id, person, address, subscription, created_at) VALUES (?,?,?,?,{now})", p.ID, string(p.Person), p.Address, blob(p.Subscription)); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM push_subscriptions WHERE person = ? AND id NOT IN
			(SELECT id FROM push_subscriptions WHERE person = ? ORDER BY id DESC LIMIT ?)`, string(p.Person), string(p.Person), maxBrowsers)
		return err
	})
}

// PushesTo lists the browsers of a person.
func (s *Store) PushesTo(ctx context.Context, id access.PersonID) ([]PushSubscription, error) {
	var out []PushSubscription
	err := s.all(ctx, func(scan func(...any) error) error {
		p := PushSubscription{Person: id}
		err := scan(&p.ID, &p.Address, &p.Subscription)
		out = append(out, p)
		return err
	}, "SELECT id, address, subscription FROM push_subscriptions WHERE person = ? ORDER BY id", string(id))
	return out, err
}

// RemovePush removes a person's browser by its address.
func (s *Store) RemovePush(ctx context.Context, id access.PersonID, address []byte, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec("DELETE FROM push_subscriptions WHERE person = ? AND address = ?", string(id), address)
		return err
	})
}

// ForgetPush removes a browser that no longer wants to be told.
func (s *Store) ForgetPush(ctx context.Context, id string) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM push_subscriptions WHERE id = ?", id)
		return err
	})
}
