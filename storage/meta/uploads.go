package meta

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// The states of an upload that can be resumed.
const (
	UploadOpen    = "open"    // parts arrive, or it is whole and not filed yet
	UploadFiled   = "filed"   // Item is what came of it
	UploadRefused = "refused" // Problem says why
	UploadRemoved = "removed" // by who sent it
	UploadExpired = "expired"
)

// Upload is one upload that can be resumed.
type Upload struct {
	ID          string
	Person      access.PersonID
	Entry       string // the phone's own name for it
	Corrections []byte // sealed on the phone: fields that count instead of those in the upload
	Bytes       int64  // of the whole
	Received    int64  // of them
	State       string
	FilingUntil time.Time // somebody files it until then
	Item        media.ItemID
	Repeated    bool
	Problem     string // JSON, of a refused one
	CreatedAt   time.Time
	ExpiresAt   time.Time
	Now         time.Time // the database's clock when it was read
}

// UploadPart is what arrived of an upload in one piece.
type UploadPart struct {
	At, Bytes int64
	ObjectKey string
}

const uploadColumns = "id, person, entry, corrections, bytes, received, state, filing_until, item, repeated, problem, created_at, expires_at, {now}"

func scanUpload(scan func(...any) error) (Upload, error) {
	var u Upload
	var filing, made, ends, now micros
	err := scan(&u.ID, &u.Person, &u.Entry, &u.Corrections, &u.Bytes, &u.Received, &u.State, &filing, optional[media.ItemID]{&u.Item}, &u.Repeated, &u.Problem, &made, &ends, &now)
	u.FilingUntil, u.CreatedAt, u.ExpiresAt, u.Now = filing.time(), made.time(), ends.time(), now.time()
	return u, err
}

// UploadLimits bound what one person may have open.
type UploadLimits struct {
	Count int
	Bytes int64
}

// AddUpload starts an upload that lives for liveFor after its last part. It is
// ErrSpent when the person has too much open, and ErrExists when they started
// one of the same entry before: see UploadByEntry.
func (s *Store) AddUpload(ctx context.Context, u Upload, liveFor time.Duration, limits UploadLimits, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		// The row that serialises a person's beginnings is their own.
		if err := t.must("UPDATE people SET name = name WHERE id = ?", string(u.Person)); err != nil {
			return err
		}
		var known bool
		var count int
		var bytes int64
		err := t.row("SELECT EXISTS (SELECT 1 FROM uploads WHERE person = ? AND entry = ?)", string(u.Person), u.Entry).Scan(&known)
		if err != nil {
			return err
		}
		if known {
			return ErrExists
		}
		err = t.row("SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM uploads WHERE person = ? AND state = 'open' AND expires_at > {now}", string(u.Person)).Scan(&count, &bytes)
		if err != nil {
			return err
		}
		if count >= limits.Count || bytes > limits.Bytes-u.Bytes {
			return ErrSpent
		}
		_, err = t.exec("INSERT INTO uploads (id, person, entry, corrections, bytes, state, created_at, expires_at) VALUES (?,?,?,?,?,'open',{now},{now} + ?)",
			u.ID, string(u.Person), u.Entry, blob(u.Corrections), u.Bytes, liveFor.Microseconds())
		return err
	})
}

// Upload finds an upload.
func (s *Store) Upload(ctx context.Context, id string) (Upload, error) {
	u, err := scanUpload(s.read(ctx, "SELECT "+uploadColumns+" FROM uploads WHERE id = ?", id).Scan)
	return u, s.d.classify(err)
}

// UploadByEntry finds a person's upload by their own name for it.
func (s *Store) UploadByEntry(ctx context.Context, who access.PersonID, entry string) (Upload, error) {
	u, err := scanUpload(s.read(ctx, "SELECT "+uploadColumns+" FROM uploads WHERE person = ? AND entry = ?", string(who), entry).Scan)
	return u, s.d.classify(err)
}

// AddPart counts a part that is durable in the object store, and moves the
// expiry on. It is ErrNotFound unless the upload is open and has received
// exactly what comes before the part: of two senders one goes on. That
// something arrives is not a change worth an event; start and end are.
func (s *Store) AddPart(ctx context.Context, id string, p UploadPart, liveFor time.Duration) error {
	return s.within(ctx, func(t *tx) error {
		err := t.must("UPDATE uploads SET received = received + ?, expires_at = {now} + ? WHERE id = ? AND state = 'open' AND expires_at > {now} AND received = ? AND bytes - received >= ?",
			p.Bytes, liveFor.Microseconds(), id, p.At, p.Bytes)
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO upload_parts (upload, at, bytes, object_key) VALUES (?,?,?,?)", id, p.At, p.Bytes, p.ObjectKey)
		return err
	})
}

// Parts lists what arrived of an upload, in order.
func (s *Store) Parts(ctx context.Context, id string) ([]UploadPart, error) {
	var out []UploadPart
	err := s.all(ctx, func(scan func(...any) error) error {
		var p UploadPart
		err := scan(&p.At, &p.Bytes, &p.ObjectKey)
		out = append(out, p)
		return err
	}, "SELECT at, bytes, object_key FROM upload_parts WHERE upload = ? ORDER BY at", id)
	return out, err
}

// PartKeyExists reports whether a part names an object.
func (s *Store) PartKeyExists(ctx context.Context, key string) (bool, error) {
	var known bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM upload_parts WHERE object_key = ?)", key).Scan(&known)
	return known, s.d.classify(err)
}

// LeaseFiling lets the caller alone file an upload that is whole, until the
// lease runs out; ErrNotFound when it is not whole, has ended, or somebody else
// is at it.
func (s *Store) LeaseFiling(ctx context.Context, id string, leaseFor time.Duration) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE uploads SET filing_until = {now} + ? WHERE id = ? AND state = 'open' AND received = bytes AND filing_until <= {now}", leaseFor.Microseconds(), id)
	})
}

// HoldFiling makes a lease end a while from now: to keep it, or to let the next
// attempt wait.
func (s *Store) HoldFiling(ctx context.Context, id string, a time.Duration) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE uploads SET filing_until = {now} + ? WHERE id = ? AND state = 'open'", a.Microseconds(), id)
		return err
	})
}

// EndUpload ends an open upload as u says (State, Item, Repeated, Problem);
// ErrNotFound when it has ended, or when it is being filed and u is no outcome
// of that. Its parts are still there: see ForgetParts.
func (s *Store) EndUpload(ctx context.Context, u Upload, ev audit.Event) error {
	tried := u.State == UploadFiled || u.State == UploadRefused
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE uploads SET state = ?, item = ?, repeated = ?, problem = ?, corrections = ?, ended_at = {now}, filing_until = 0 WHERE id = ? AND state = 'open' AND (? OR filing_until <= {now})",
			u.State, optional[media.ItemID]{&u.Item}, u.Repeated, u.Problem, []byte{}, u.ID, tried)
	})
}

// ForgetParts takes away the rows of an ended upload's parts, whose objects are
// gone.
func (s *Store) ForgetParts(ctx context.Context, id string) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM upload_parts WHERE upload = ? AND EXISTS (SELECT 1 FROM uploads u WHERE u.id = ? AND u.state <> 'open')", id, id)
		return err
	})
}

// ForgetUploads takes away the rows of uploads that ended longer than after
// ago and have no parts left: by then every phone has heard of it.
func (s *Store) ForgetUploads(ctx context.Context, after time.Duration) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM uploads WHERE state <> 'open' AND ended_at < {now} - ? AND NOT EXISTS (SELECT 1 FROM upload_parts p WHERE p.upload = uploads.id)", after.Microseconds())
		return err
	})
}

// uploadsWhere lists uploads that need something done, oldest first.
func (s *Store) uploadsWhere(ctx context.Context, cond string) ([]Upload, error) {
	var out []Upload
	err := s.all(ctx, func(scan func(...any) error) error {
		u, err := scanUpload(scan)
		out = append(out, u)
		return err
	}, "SELECT "+uploadColumns+" FROM uploads WHERE "+cond+" ORDER BY id LIMIT 500")
	return out, err
}

// ExpiredUploads lists open uploads whose time is over.
func (s *Store) ExpiredUploads(ctx context.Context) ([]Upload, error) {
	return s.uploadsWhere(ctx, "state = 'open' AND expires_at <= {now} AND filing_until <= {now}")
}

// UploadsToFile lists uploads that are whole and that nobody files.
func (s *Store) UploadsToFile(ctx context.Context) ([]Upload, error) {
	return s.uploadsWhere(ctx, "state = 'open' AND received = bytes AND filing_until <= {now} AND expires_at > {now}")
}

// UploadsWithLeftParts lists ended uploads whose parts are still there.
func (s *Store) UploadsWithLeftParts(ctx context.Context) ([]Upload, error) {
	return s.uploadsWhere(ctx, "state <> 'open' AND EXISTS (SELECT 1 FROM upload_parts p WHERE p.upload = uploads.id)")
}

// UploadsWithParts pages through the uploads of which parts are kept, in the
// order of identifiers.
func (s *Store) UploadsWithParts(ctx context.Context, after string, limit int) ([]Upload, error) {
	var out []Upload
	err := s.all(ctx, func(scan func(...any) error) error {
		u, err := scanUpload(scan)
		out = append(out, u)
		return err
	}, "SELECT "+uploadColumns+" FROM uploads WHERE id > ? AND (received > 0 OR EXISTS (SELECT 1 FROM upload_parts p WHERE p.upload = uploads.id)) ORDER BY id LIMIT ?", after, max(limit, 1))
	return out, err
}

// PrincipalOf gives a person as a principal without a session, for work that is
// finished on their behalf.
func (s *Store) PrincipalOf(ctx context.Context, id access.PersonID) (access.Principal, error) {
	p, err := s.Person(ctx, id)
	if err != nil {
		return access.Principal{}, err
	}
	teams, err := s.teamsOf(ctx, id)
	return access.Principal{Person: p.Person, Teams: teams}, err
}
