package meta

import (
	"context"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/referral"
)

// Unseen is a referral that nobody whom it asks has opened.
type Unseen struct {
	ID       referral.ID
	Team     access.TeamID // that asks
	Audience link.Audience
	AskedAt  time.Time
}

// UnseenReferrals lists the open referrals that nobody whom they ask has seen,
// oldest first.
func (s *Store) UnseenReferrals(ctx context.Context, limit int) ([]Unseen, error) {
	var out []Unseen
	err := s.all(ctx, func(scan func(...any) error) error {
		var u Unseen
		var asked micros
		err := scan(&u.ID, &u.Team, &u.Audience.Kind, &u.Audience.ID, &asked)
		u.AskedAt = asked.time()
		out = append(out, u)
		return err
	}, "SELECT id, team, audience_kind, audience, asked_at FROM referrals WHERE seen_at = 0 AND state <> 'closed' ORDER BY asked_at LIMIT ?", max(limit, 1))
	return out, err
}

// FailedSignIns is how often signing in failed to one account in one hour.
type FailedSignIns struct {
	Hour   time.Time
	Person access.PersonID // empty: no account has the name that was tried
	Count  int
}

// SignInsFailed counts the failed sign-ins since a time, by hour and account.
func (s *Store) SignInsFailed(ctx context.Context, since time.Time, limit int) ([]FailedSignIns, error) {
	from, err := s.firstSeq(ctx, since)
	if err != nil {
		return nil, err
	}
	var out []FailedSignIns
	err = s.all(ctx, func(scan func(...any) error) error {
		var f FailedSignIns
		var hour int64
		err := scan(&hour, &f.Person, &f.Count)
		f.Hour = time.Unix(hour*3600, 0).UTC()
		out = append(out, f)
		return err
	}, "SELECT at / 3600000000, person, COUNT(*) FROM audit_events WHERE type = ? AND seq >= ? GROUP BY at / 3600000000, person ORDER BY 1, 2 LIMIT ?",
		string(audit.SignInFailed), from, max(limit, 1))
	return out, err
}

// Locked lists the accounts that are locked now.
func (s *Store) Locked(ctx context.Context) ([]Person, error) {
	var out []Person
	err := s.all(ctx, func(scan func(...any) error) error {
		p, err := scanPerson(scan)
		out = append(out, p)
		return err
	}, "SELECT "+personColumns+" FROM people WHERE locked_until > {now} ORDER BY locked_until")
	return out, err
}

// EmergenciesSince lists the emergency accesses since a time, newest first.
func (s *Store) EmergenciesSince(ctx context.Context, since time.Time, limit int) ([]oversight.Emergency, error) {
	return s.emergencies(ctx, "WHERE e.at >= ? ORDER BY e.id DESC LIMIT ?", at(since), max(limit, 1))
}

// EmergenciesToReview lists the emergency accesses before a time that nobody
// has reviewed, oldest first.
func (s *Store) EmergenciesToReview(ctx context.Context, before time.Time, limit int) ([]oversight.Emergency, error) {
	return s.emergencies(ctx, "WHERE e.reviewed_at = 0 AND e.at < ? ORDER BY e.id LIMIT ?", at(before), max(limit, 1))
}

// Filed is what was filed in one week, in one team and format. Stored is what
// all forms of it take up, encrypted.
type Filed struct {
	Week   time.Time // its Monday, UTC
	Team   access.TeamID
	Format string
	Items  int
	Stored int64
}

const (
	weekMicros = 7 * 24 * 3_600_000_000
	toMonday   = 3 * 24 * 3_600_000_000 // 1970 began on a Thursday
)

// FiledSince adds up what was filed since a time. Identifiers are ordered by
// time, so only the rows of that time are read.
func (s *Store) FiledSince(ctx context.Context, since time.Time) ([]Filed, error) {
	// A day's grace: identifiers are made by the clocks of servers.
	low := fmt.Sprintf("%012x", since.Add(-24*time.Hour).UnixMilli())
	low = low[:8] + "-" + low[8:]
	var out []Filed
	err := s.all(ctx, func(scan func(...any) error) error {
		var f Filed
		var week int64
		err := scan(&week, &f.Team, &f.Format, &f.Items, &f.Stored)
		f.Week = time.UnixMicro(week*weekMicros - toMonday).UTC()
		out = append(out, f)
		return err
	}, fmt.Sprintf(`SELECT w, team, format, COUNT(*), CAST(SUM(stored) AS BIGINT) FROM (
			SELECT (i.filed_at + %d) / %d AS w, i.team, i.format, (SELECT COALESCE(SUM(r.object_bytes), 0) FROM renditions r WHERE r.item = i.id) AS stored
			FROM items i WHERE i.id >= ? AND i.filed_at >= ?) f
		GROUP BY w, team, format ORDER BY w, team, format`, toMonday, weekMicros), low, at(since))
	return out, err
}
