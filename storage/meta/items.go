package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// Filing is everything that one upload adds.
type Filing struct {
	Item        media.Item
	Rendition   media.RenditionRow
	Key         media.WrappedKey
	Sole        bool        // refuse a second item with the same fingerprint
	Idempotency Idempotency // of the request
	Job         *Job        // work to do on the item; may be nil
	Event       audit.Event
}

// Idempotency is a client's key for one request, and a hash by which the same
// request is known again. An empty Key is none.
type Idempotency struct {
	Person      access.PersonID
	Key         string
	RequestHash []byte
}

// FileItem commits a filing and gives the item with its time. It is ErrNotFound
// when the patient was forgotten or merged into another meanwhile, and ErrExists
// when the person used the idempotency key before or, with Sole, when the
// fingerprint is known: ask FiledBefore and ItemByFingerprint which.
func (s *Store) FileItem(ctx context.Context, f Filing) (media.Item, error) {
	it := f.Item
	err := s.change(ctx, f.Event, func(t *tx) error {
		if err := t.stirOwn(it.Patient); err != nil { // first, so that two who want the patient's row do not wait for each other; a new entry brings the record back into use
			return err
		}
		var sole []byte
		if f.Sole {
			sole = it.Fingerprint
		}
		var filed micros
		err := t.row(`INSERT INTO items (id, patient, case_id, team, uploader, format, consent, body_site, note, captured_at, filed_at, bytes, fingerprint, sole, receipt, manifest,
				captured_with, consent_given_by, consent_capacity, consent_detail, site)
			VALUES (?,?,?,?,?,?,?,?,?,?,{now},?,?,?,?,?,?,?,?,?,?) RETURNING filed_at`,
			string(it.ID), string(it.Patient), optional[media.CaseID]{&it.Case}, string(it.Team), string(it.Uploader), it.Format.String(), string(it.Consent),
			blob(it.BodySite), blob(it.Note), at(it.CapturedAt), it.Bytes, blob(it.Fingerprint), sole, blob(it.Receipt), blob(it.Manifest),
			string(it.CapturedWith), string(it.ConsentGivenBy), string(it.ConsentCapacity), blob(it.ConsentDetail), it.Site).Scan(&filed)
		if err != nil {
			return err
		}
		it.FiledAt = filed.time()
		if err := t.lookBelow(it.ID); err != nil {
			return err
		}
		if err := t.addRendition(f.Rendition, f.Key); err != nil {
			return err
		}
		if i := f.Idempotency; i.Key != "" {
			if _, err := t.exec("INSERT INTO requests (person, key, request_hash, item, at) VALUES (?,?,?,?,{now})", string(i.Person), i.Key, i.RequestHash, string(it.ID)); err != nil {
				return err
			}
		}
		if f.Job == nil {
			return nil
		}
		return t.addJob(*f.Job, it.ID)
	})
	return it, err
}

// FiledBefore finds the item of an earlier request with the same idempotency
// key, and that request's hash.
func (s *Store) FiledBefore(ctx context.Context, i Idempotency) (media.ItemID, []byte, error) {
	var id media.ItemID
	var hash []byte
	err := s.read(ctx, "SELECT item, request_hash FROM requests WHERE person = ? AND key = ?", string(i.Person), i.Key).Scan(&id, &hash)
	return id, hash, s.d.classify(err)
}

const itemColumns = `i.id, i.patient, i.case_id, i.team, i.uploader, i.format, i.consent, i.body_site, i.note,
	i.captured_at, i.filed_at, i.bytes, i.fingerprint, i.receipt, i.manifest, i.quality,
	i.captured_with, i.consent_given_by, i.consent_capacity, i.consent_detail, i.site, i.destroyed_at`

func scanItem(scan func(...any) error) (media.Item, error) {
	var it media.Item
	var format, quality string
	var captured, filed, destroyed micros
	err := scan(&it.ID, &it.Patient, optional[media.CaseID]{&it.Case}, &it.Team, &it.Uploader, &format, &it.Consent, &it.BodySite, &it.Note,
		&captured, &filed, &it.Bytes, &it.Fingerprint, &it.Receipt, &it.Manifest, &quality,
		&it.CapturedWith, &it.ConsentGivenBy, &it.ConsentCapacity, (*[]byte)(&it.ConsentDetail), // whose default is text to SQLite
		&it.Site, &destroyed)
	if err != nil {
		return it, err
	}
	if quality != "" {
		it.Quality = &media.Quality{}
		if err := json.Unmarshal([]byte(quality), it.Quality); err != nil {
			return it, fmt.Errorf("the quality of an item cannot be read: %w", err)
		}
	}
	it.CapturedAt, it.FiledAt, it.DestroyedAt = captured.time(), filed.time(), destroyed.time()
	it.Format, err = parseFormat(format)
	return it, err
}

func parseFormat(name string) (media.Format, error) {
	f, ok := media.ParseFormat(name)
	if !ok {
		return f, fmt.Errorf("a row has the unknown format %q", name)
	}
	return f, nil
}

// ItemByFingerprint finds a patient's latest item with a fingerprint.
func (s *Store) ItemByFingerprint(ctx context.Context, p media.PatientID, fingerprint []byte) (media.Item, error) {
	it, err := scanItem(s.read(ctx, "SELECT "+itemColumns+" FROM items i WHERE i.fingerprint = ? AND i.patient = ? AND i.destroyed_at = 0 ORDER BY i.id DESC LIMIT 1", fingerprint, string(p)).Scan)
	return it, s.d.classify(err)
}

// Item finds an item.
func (s *Store) Item(ctx context.Context, id media.ItemID) (media.Item, error) {
	it, err := scanItem(s.read(ctx, "SELECT "+itemColumns+" FROM items i WHERE i.id = ?", string(id)).Scan)
	return it, s.d.classify(err)
}

// ItemFilter chooses items; zero fields do not narrow, except Visible.
type ItemFilter struct {
	Patient  media.PatientID
	Case     media.CaseID
	Team     access.TeamID
	Uploader access.PersonID
	Visible  Visibility
	After    media.ItemID // to page: items older than this one
	Limit    int
}

// Visibility says whose eyes a list is for. The zero Visibility sees nothing.
type Visibility struct {
	All    bool
	Person access.PersonID // sees what they uploaded
	Teams  []access.TeamID // and what belongs to these
	Role   access.Role     // and what a live link or an open referral to the person, a team or the role is about
}

// Items gives items, newest first.
func (s *Store) Items(ctx context.Context, f ItemFilter) ([]media.Item, error) {
	where, args := []string{"i.destroyed_at = 0"}, []any{}
	add := func(cond string, a ...any) { where, args = append(where, cond), append(args, a...) }
	for col, v := range map[string]string{"i.patient": string(f.Patient), "i.case_id": string(f.Case), "i.team": string(f.Team), "i.uploader": string(f.Uploader)} {
		if v != "" {
			add(col+" = ?", v)
		}
	}
	if f.After != "" {
		add("i.id < ?", string(f.After))
	}
	if v := f.Visible; !v.All {
		teams, teamArgs := list(v.Teams)
		audience, audienceArgs := v.audience()
		asked, askedArgs := v.asked()
		add("(i.uploader = ? OR i.team IN "+teams+" OR EXISTS (SELECT 1 FROM links l WHERE l.item = i.id AND "+audience+`)
			OR EXISTS (SELECT 1 FROM referral_items ri JOIN referrals r ON r.id = ri.referral WHERE ri.item = i.id AND r.state <> 'closed' AND `+asked+`)
			OR EXISTS (SELECT 1 FROM emergencies e WHERE e.patient = i.patient AND e.person = ? AND e.expires_at > {now}))`,
			slices.Concat([]any{string(v.Person)}, teamArgs, audienceArgs, askedArgs, []any{string(v.Person)})...)
	}
	var out []media.Item
	err := s.all(ctx, func(scan func(...any) error) error {
		it, err := scanItem(scan)
		out = append(out, it)
		return err
	}, "SELECT "+itemColumns+" FROM items i WHERE "+strings.Join(where, " AND ")+" ORDER BY i.id DESC LIMIT ?", append(args, max(f.Limit, 1))...)
	return out, err
}

// audience is the condition that a live link l is addressed to v.
func (v Visibility) audience() (string, []any) {
	teams, args := list(v.Teams)
	return `l.revoked_at = 0 AND l.expires_at > {now} AND (
			(l.audience_kind = 'person' AND l.audience = ?) OR (l.audience_kind = 'role' AND l.audience = ?) OR
			(l.audience_kind = 'team' AND l.audience IN ` + teams + "))",
		append([]any{string(v.Person), string(v.Role)}, args...)
}

func (t *tx) addRendition(r media.RenditionRow, k media.WrappedKey) error {
	_, err := t.exec("INSERT INTO renditions (item, rendition, format, object_key, bytes, object_bytes, width, height) VALUES (?,?,?,?,?,?,?,?)",
		string(r.Item), string(r.Rendition), r.Format.String(), r.ObjectKey, r.Bytes, r.ObjectBytes, r.Width, r.Height)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO wrapped_keys (item, rendition, kek, wrapped) VALUES (?,?,?,?)", string(k.Item), string(k.Rendition), k.KEK, blob(k.Wrapped))
	return err
}

// AddRendition adds a further rendition of an item; ErrExists when there is
// one, ErrNotFound when the item is destroyed.
func (s *Store) AddRendition(ctx context.Context, r media.RenditionRow, k media.WrappedKey, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		// An update and no look: it waits for a destruction under way.
		if err := t.must("UPDATE items SET destroyed_at = 0 WHERE id = ? AND destroyed_at = 0", string(r.Item)); err != nil {
			return err
		}
		return t.addRendition(r, k)
	})
}

// SetQuality keeps what was measured of a picture.
func (s *Store) SetQuality(ctx context.Context, id media.ItemID, q media.Quality, ev audit.Event) error {
	b, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return s.change(ctx, ev, func(t *tx) error { return t.must("UPDATE items SET quality = ? WHERE id = ?", string(b), string(id)) })
}

const renditionColumns = "r.item, r.rendition, r.format, r.object_key, r.bytes, r.object_bytes, r.width, r.height"

func scanRendition(scan func(...any) error, more ...any) (media.RenditionRow, error) {
	var r media.RenditionRow
	var format string
	err := scan(append([]any{&r.Item, &r.Rendition, &format, &r.ObjectKey, &r.Bytes, &r.ObjectBytes, &r.Width, &r.Height}, more...)...)
	if err != nil {
		return r, err
	}
	r.Format, err = parseFormat(format)
	return r, err
}

// Renditions lists an item's renditions.
func (s *Store) Renditions(ctx context.Context, id media.ItemID) ([]media.RenditionRow, error) {
	var out []media.RenditionRow
	err := s.all(ctx, func(scan func(...any) error) error {
		r, err := scanRendition(scan)
		out = append(out, r)
		return err
	}, "SELECT "+renditionColumns+" FROM renditions r WHERE r.item = ? ORDER BY r.rendition", string(id))
	return out, err
}

// Rendition finds one rendition and its wrapped key.
func (s *Store) Rendition(ctx context.Context, id media.ItemID, r media.Rendition) (media.RenditionRow, media.WrappedKey, error) {
	k := media.WrappedKey{Item: id, Rendition: r}
	row, err := scanRendition(s.read(ctx, "SELECT "+renditionColumns+`, k.kek, k.wrapped FROM renditions r
		JOIN wrapped_keys k ON k.item = r.item AND k.rendition = r.rendition WHERE r.item = ? AND r.rendition = ?`, string(id), string(r)).Scan, &k.KEK, &k.Wrapped)
	return row, k, s.d.classify(err)
}

// ObjectKeyExists reports whether a rendition names an object.
func (s *Store) ObjectKeyExists(ctx context.Context, key string) (bool, error) {
	var known bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM renditions WHERE object_key = ?)", key).Scan(&known)
	return known, s.d.classify(err)
}
