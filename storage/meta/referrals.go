package meta

import (
	"context"
	"strings"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/notice"
	"github.com/wardseal/wardseal/internal/referral"
)

const referralColumns = `r.id, r.patient, r.team, r.asked_by, r.audience_kind, r.audience, r.question, r.state, r.asked_at, r.changed_at, r.seen_at,
	COALESCE((SELECT d.at FROM referral_reads d WHERE d.referral = r.id AND d.person = ?), 0)`

func scanReferral(scan func(...any) error) (referral.Referral, error) {
	var r referral.Referral
	var asked, changed, seen, read micros
	err := scan(&r.ID, &r.Patient, &r.Team, &r.AskedBy, &r.Audience.Kind, &r.Audience.ID, &r.Question, &r.State, &asked, &changed, &seen, &read)
	r.AskedAt, r.ChangedAt, r.SeenAt, r.ReadAt = asked.time(), changed.time(), seen.time(), read.time()
	return r, err
}

// AddReferral adds a referral with its items and gives it with its times.
func (s *Store) AddReferral(ctx context.Context, r referral.Referral, items []media.ItemID, ev audit.Event) (referral.Referral, error) {
	err := s.change(ctx, ev, func(t *tx) error {
		var asked micros
		err := t.row(`INSERT INTO referrals (id, patient, team, asked_by, audience_kind, audience, question, state, asked_at, changed_at)
			VALUES (?,?,?,?,?,?,?,?,{now},{now}) RETURNING asked_at`, string(r.ID), string(r.Patient), string(r.Team), string(r.AskedBy),
			string(r.Audience.Kind), r.Audience.ID, blob(r.Question), string(r.State)).Scan(&asked)
		if err != nil {
			return err
		}
		r.AskedAt, r.ChangedAt = asked.time(), asked.time()
		if err := t.addReferralItems(r.ID, items); err != nil {
			return err
		}
		if err := t.notify(Notify{notice.Asked, r.Audience, r.AskedBy}); err != nil {
			return err
		}
		return t.readReferral(r.ID, r.AskedBy)
	})
	return r, err
}

func (t *tx) addReferralItems(id referral.ID, items []media.ItemID) error {
	for _, it := range items {
		if _, err := t.exec("INSERT INTO referral_items (referral, item, added_at) VALUES (?,?,{now}) ON CONFLICT DO NOTHING", string(id), string(it)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) readReferral(id referral.ID, by access.PersonID) error {
	_, err := t.exec(`INSERT INTO referral_reads (referral, person, at) VALUES (?,?,{now}) ON CONFLICT (referral, person) DO UPDATE SET at = {now}`, string(id), string(by))
	return err
}

// Referral finds a referral, as reader has read it.
func (s *Store) Referral(ctx context.Context, id referral.ID, reader access.PersonID) (referral.Referral, error) {
	r, err := scanReferral(s.read(ctx, "SELECT "+referralColumns+" FROM referrals r WHERE r.id = ?", string(reader), string(id)).Scan)
	return r, s.d.classify(err)
}

// ReadReferral records that somebody read a referral; asked says that they are
// among those whom it asks.
func (s *Store) ReadReferral(ctx context.Context, id referral.ID, by access.PersonID, asked bool, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if asked {
			if _, err := t.exec("UPDATE referrals SET seen_at = {now} WHERE id = ?", string(id)); err != nil {
				return err
			}
		}
		return t.readReferral(id, by)
	})
}

// AddMessage adds a message to a referral that is in the state from, and moves
// it to the state to, and has somebody told; ErrExists when it is in another
// state by now.
func (s *Store) AddMessage(ctx context.Context, id referral.ID, m referral.Message, from, to referral.State, items []media.ItemID, tell Notify, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		n, err := t.exec("UPDATE referrals SET state = ?, changed_at = {now} WHERE id = ? AND state = ?", string(to), string(id), string(from))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrExists
		}
		if _, err := t.exec("INSERT INTO referral_messages (id, referral, person, kind, text, at) VALUES (?,?,?,?,?,{now})",
			m.ID, string(id), string(m.Person), string(m.Kind), blob(m.Text)); err != nil {
			return err
		}
		if err := t.addReferralItems(id, items); err != nil {
			return err
		}
		if err := t.notify(tell); err != nil {
			return err
		}
		return t.readReferral(id, m.Person)
	})
}

// Messages lists a referral's messages, oldest first.
func (s *Store) Messages(ctx context.Context, id referral.ID) ([]referral.Message, error) {
	var out []referral.Message
	err := s.all(ctx, func(scan func(...any) error) error {
		var m referral.Message
		var when micros
		err := scan(&m.ID, &m.Person, &m.Kind, &m.Text, &when)
		m.At = when.time()
		out = append(out, m)
		return err
	}, "SELECT m.id, m.person, m.kind, m.text, m.at FROM referral_messages m WHERE m.referral = ? ORDER BY m.id", string(id))
	return out, err
}

// ReferralItems lists the items of a referral in the order they were filed.
func (s *Store) ReferralItems(ctx context.Context, id referral.ID) ([]media.Item, error) {
	var out []media.Item
	err := s.all(ctx, func(scan func(...any) error) error {
		it, err := scanItem(scan)
		out = append(out, it)
		return err
	}, "SELECT "+itemColumns+" FROM items i JOIN referral_items ri ON ri.item = i.id WHERE ri.referral = ? ORDER BY i.id", string(id))
	return out, err
}

// ReferralFilter chooses referrals. One of To, By and Teams says whose they
// are; the zero filter chooses none.
type ReferralFilter struct {
	Reader  access.PersonID
	To      *Visibility     // that ask this person, their teams or role
	By      access.PersonID // that this person asked
	Teams   []access.TeamID // that these teams asked
	Patient media.PatientID // narrows
	State   referral.State  // narrows
	Live    bool            // narrows to those that are not closed
	Order   referral.Order  // latest when empty
	After   referral.ID     // to page: those after this one in the list
	Limit   int
}

// referralOrders are what lists are sorted by: each a key of referral r, and
// which way it goes. The last part of a key is unique.
var referralOrders = map[referral.Order]struct {
	key []string
	way string
}{
	referral.Latest:    {[]string{"r.changed_at", "r.id"}, "DESC"},
	referral.Oldest:    {[]string{"CASE WHEN r.state = 'waiting' THEN 0 ELSE 1 END", "r.changed_at", "r.id"}, "ASC"},
	referral.Unopened:  {[]string{"CASE WHEN r.state <> 'waiting' THEN 2 WHEN r.seen_at < r.changed_at THEN 0 ELSE 1 END", "r.changed_at", "r.id"}, "ASC"},
	referral.ByPatient: {[]string{"r.patient", "-r.changed_at", "r.id"}, "ASC"}, // names are sealed: no database can sort by them
}

// order gives the condition that a referral comes after another in the list, and
// what the list is sorted by.
func (f ReferralFilter) order() (after, by string) {
	o, ok := referralOrders[f.Order]
	if !ok {
		o = referralOrders[referral.Latest]
	}
	key, than := strings.Join(o.key, ", "), ">"
	if o.way == "DESC" {
		than = "<"
	}
	after = "(" + key + ") " + than + " (SELECT " + strings.ReplaceAll(key, "r.", "a.") + " FROM referrals a WHERE a.id = ?)"
	return after, strings.Join(o.key, " "+o.way+", ") + " " + o.way
}

func (f ReferralFilter) where() (string, []any) {
	var conds []string
	var args []any
	add := func(cond string, a ...any) { conds, args = append(conds, cond), append(args, a...) }
	switch {
	case f.To != nil:
		cond, a := f.To.asked()
		add(cond, a...)
	case f.By != "":
		add("r.asked_by = ?", string(f.By))
	default:
		teams, a := list(f.Teams)
		add("r.team IN "+teams, a...)
	}
	if f.Patient != "" {
		add("r.patient = ?", string(f.Patient))
	}
	if f.State != "" {
		add("r.state = ?", string(f.State))
	}
	if f.Live {
		add("r.state <> 'closed'")
	}
	if f.After != "" {
		after, _ := f.order()
		add(after, string(f.After))
	}
	return strings.Join(conds, " AND "), args
}

// asked is the condition that a referral r asks v.
func (v Visibility) asked() (string, []any) {
	teams, args := list(v.Teams)
	return `((r.audience_kind = 'person' AND r.audience = ?) OR (r.audience_kind = 'role' AND r.audience = ?) OR (r.audience_kind = 'team' AND r.audience IN ` + teams + "))",
		append([]any{string(v.Person), string(v.Role)}, args...)
}

// Referrals lists referrals in the order of the filter.
func (s *Store) Referrals(ctx context.Context, f ReferralFilter) ([]referral.Referral, error) {
	where, args := f.where()
	_, by := f.order()
	return s.referrals(ctx, f.Reader, where+" ORDER BY "+by+" LIMIT ?", append(args, max(f.Limit, 1))...)
}

// ReferralsAbout lists every referral that an item is in, oldest first, as
// nobody has read them.
func (s *Store) ReferralsAbout(ctx context.Context, item media.ItemID) ([]referral.Referral, error) {
	return s.referrals(ctx, "", "r.id IN (SELECT ri.referral FROM referral_items ri WHERE ri.item = ?) ORDER BY r.id", string(item))
}

func (s *Store) referrals(ctx context.Context, reader access.PersonID, where string, args ...any) ([]referral.Referral, error) {
	var out []referral.Referral
	err := s.all(ctx, func(scan func(...any) error) error {
		r, err := scanReferral(scan)
		out = append(out, r)
		return err
	}, "SELECT "+referralColumns+" FROM referrals r WHERE "+where, append([]any{string(reader)}, args...)...)
	return out, err
}

// CountReferrals counts what Referrals would list without a limit.
func (s *Store) CountReferrals(ctx context.Context, f ReferralFilter) (int, error) {
	where, args := f.where()
	var n int
	err := s.read(ctx, "SELECT COUNT(*) FROM referrals r WHERE "+where, args...).Scan(&n)
	return n, s.d.classify(err)
}

// AsksAbout reports whether a referral that is not closed asks p about the item.
func (s *Store) AsksAbout(ctx context.Context, item media.ItemID, p access.Principal) (bool, error) {
	cond, args := Visibility{Person: p.Person.ID, Teams: p.Teams, Role: p.Person.Role}.asked()
	var yes bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM referral_items ri JOIN referrals r ON r.id = ri.referral WHERE ri.item = ? AND r.state <> 'closed' AND "+cond+")",
		append([]any{string(item)}, args...)...).Scan(&yes)
	return yes, s.d.classify(err)
}
