package meta

import (
	"context"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/notice"
)

// Notify says who is told of a change, and what.
type Notify struct {
	Kind notice.Kind // empty: nobody is told
	To   link.Audience
	But  access.PersonID // who made the change needs no telling
}

// notify adds a job for each of those to be told who has an address, and one
// for each who has a browser that is told, unless they are about to be told
// the same anyway.
func (t *tx) notify(n Notify) error {
	if n.Kind == "" {
		return nil
	}
	if err := t.tell(n, string(n.Kind), "p.email <> ''"); err != nil {
		return err
	}
	return t.tell(n, notice.Push, "EXISTS (SELECT 1 FROM push_subscriptions s WHERE s.person = p.id)")
}

// tell adds a job of a kind for each of those to be told whom the condition
// holds for.
func (t *tx) tell(n Notify, kind, reached string) error {
	cond := map[link.AudienceKind]string{
		link.ToPerson: "p.id = ?", link.ToRole: "p.role = ?", link.ToTeam: "EXISTS (SELECT 1 FROM members m WHERE m.person = p.id AND m.team = ?)",
	}[n.To.Kind]
	rows, err := t.QueryContext(t.ctx, t.s.text("SELECT p.id FROM people p WHERE "+reached+" AND NOT p.suspended AND p.id <> ? AND "+cond+`
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.person = p.id AND j.kind = ? AND j.state = 'ready' AND j.attempts = 0)`), string(n.But), n.To.ID, kind)
	if err != nil {
		return err
	}
	defer rows.Close()
	var who []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		who = append(who, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range who {
		if _, err := t.exec("INSERT INTO jobs (id, kind, person, state, run_at, created_at) VALUES (?,?,?,'ready',{now},{now})", uuid.Must(uuid.NewV7()).String(), kind, id); err != nil {
			return err
		}
	}
	return nil
}

// SetEmail sets where a member of staff is told that something waits; empty
// for nowhere.
func (s *Store) SetEmail(ctx context.Context, id access.PersonID, email string, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error { return t.must("UPDATE people SET email = ? WHERE id = ?", email, string(id)) })
}
