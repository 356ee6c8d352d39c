package custody

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// Progress is how far a rotation has come.
type Progress struct {
	Step      string // "rewrapping", "settling" or "retired"
	Done, All int64  // renditions
	Until     time.Time
}

// rewrapAtOnce is how many keys one transaction takes to a new one: short
// enough for uploads not to notice.
const rewrapAtOnce = 2000

// ErrNotAll means that some wrapped keys do not open, so that the keys they
// name cannot be retired.
var ErrNotAll = errors.New("some wrapped keys do not open")

// RotateKEK makes a new key-encryption key, takes everything that older ones
// wrap to it, and retires those. Servers go on meanwhile. Cut short, it is
// finished by calling it again, and no key is made twice. It gives how many
// renditions were taken over; no object is touched.
func (d *Desk) RotateKEK(ctx context.Context, say func(Progress)) (int64, error) {
	ring, old, err := d.begin(ctx)
	if err != nil {
		return 0, err
	}
	counts, err := d.Store.WrappedCounts(ctx)
	if err != nil {
		return 0, fmt.Errorf("count what they wrap: %w", err)
	}
	p := Progress{Step: "rewrapping"}
	for _, id := range old {
		p.All += counts[id]
	}
	if _, err := d.rewrap(ctx, ring, old, &p, say); err != nil {
		return p.Done, err
	}
	// A server that has not heard of the new key may have used an old one.
	now := time.Now()
	say(Progress{Step: "settling", Done: p.Done, All: p.All, Until: now.Add(d.Settle)})
	select {
	case <-ctx.Done():
		return p.Done, ctx.Err()
	case <-time.After(d.Settle):
	}
	bad, err := d.rewrap(ctx, ring, old, &p, say)
	if err != nil {
		return p.Done, err
	}
	if bad > 0 {
		return p.Done, fmt.Errorf("%w: %d of them stay under their old keys, which stay too; “wardseal fsck” names them", ErrNotAll, bad)
	}
	for _, id := range old {
		err := d.Store.RetireKey(ctx, id, audit.NewEvent(audit.KeyRetired, access.Principal{}, audit.Subject{Key: id}))
		if err != nil && !errors.Is(err, meta.ErrNotFound) { // somebody else has retired it
			return p.Done, fmt.Errorf("retire key %s: %w", id, err)
		}
	}
	if err := d.Store.Purge(ctx); err != nil {
		return p.Done, fmt.Errorf("have the database let go of the old keys: %w", err)
	}
	p.Step = "retired"
	say(p)
	return p.Done, nil
}

// begin makes the new keys, unless that was done before, and gives the ring
// with them and those that are to go.
func (d *Desk) begin(ctx context.Context) (*keyring.Ring, []string, error) {
	now, err := d.Store.Now(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read the database's clock: %w", err)
	}
	sealed, err := d.Store.SealedKeys(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read the keys: %w", err)
	}
	month, newest := keyring.Period(now), newestOf(sealed)
	if newest[keyring.Need{Purpose: keyring.PurposeKEK, Period: month}] == "" {
		return nil, nil, errors.New("there is no key-encryption key of this month yet: start the server once")
	}
	goes := func(k media.SealedKey) bool {
		return k.Purpose == keyring.PurposeKEK && (keyring.MonthOf(k.Period) < month || k.Period != newest[monthly(k)])
	}
	begun := slices.ContainsFunc(sealed, func(k media.SealedKey) bool { return goes(k) && keyring.MonthOf(k.Period) >= month })
	if !begun {
		for n, period := range newest { // next month's may be there already
			if n.Purpose != keyring.PurposeKEK || n.Period < month {
				continue
			}
			k, err := d.mint(ctx, keyring.Need{Purpose: n.Purpose, Period: keyring.Renewed(period)})
			if err != nil {
				return nil, nil, err
			}
			sealed = append(sealed, k)
		}
		newest = newestOf(sealed)
	}
	ring, err := keyring.Open(d.Roots, sealed, func() time.Time { return now })
	if err != nil {
		return nil, nil, fmt.Errorf("open the keyring: %w", err)
	}
	var old []string
	for _, k := range sealed {
		if goes(k) {
			old = append(old, k.ID)
		}
	}
	return ring, old, nil
}

// rewrap takes over whatever the old keys wrap, in passes of one order, and
// says how many do not open.
func (d *Desk) rewrap(ctx context.Context, ring *keyring.Ring, old []string, p *Progress, say func(Progress)) (bad int64, err error) {
	var after media.WrappedKey
	for {
		rows, err := d.Store.WrappedUnder(ctx, old, after, rewrapAtOnce)
		if err != nil {
			return bad, fmt.Errorf("read wrapped keys: %w", err)
		}
		if len(rows) == 0 {
			return bad, nil
		}
		after = rows[len(rows)-1].WrappedKey
		from, to := rows[:0:0], []media.WrappedKey(nil)
		for _, row := range rows {
			w, err := ring.Rewrap(row.WrappedKey, row.Format)
			if errors.Is(err, keyring.ErrWrongKey) {
				bad++
				continue
			}
			if err != nil {
				return bad, fmt.Errorf("rewrap a key: %w", err)
			}
			from, to = append(from, row), append(to, w)
		}
		if len(to) > 0 {
			ev := audit.NewEvent(audit.KeysRewrapped, access.Principal{}, audit.Subject{Key: to[0].KEK})
			n, err := d.Store.ReplaceWrapped(ctx, from, to, ev)
			if err != nil {
				return bad, fmt.Errorf("keep rewrapped keys: %w", err)
			}
			p.Done += int64(n)
			p.All = max(p.All, p.Done)
			say(*p)
		}
	}
}
