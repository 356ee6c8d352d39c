package handover

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/referral"
	"github.com/wardseal/wardseal/internal/transfer"
)

// Metadata is what is recorded of an item, in the package of a handover. See
// docs/handover.md.
type Metadata struct {
	V               int                   `json:"v"` // 1
	Item            media.ItemID          `json:"item"`
	Patient         media.PatientDetails  `json:"patient"`
	Case            string                `json:"case,omitempty"`
	Team            string                `json:"team"`
	FiledBy         string                `json:"filed_by"`
	FiledAt         time.Time             `json:"filed_at"`
	CapturedAt      *time.Time            `json:"captured_at,omitempty"`
	CapturedWith    media.CapturedWith    `json:"captured_with"`
	BodySite        string                `json:"body_site"`
	Note            string                `json:"note,omitempty"`
	Consent         media.Consent         `json:"consent"`
	ConsentGivenBy  media.ConsentGiver    `json:"consent_given_by"`
	ConsentCapacity media.ConsentCapacity `json:"consent_capacity"`
	ConsentDetail   string                `json:"consent_detail,omitempty"`
	File            string                `json:"file"`
	MediaType       string                `json:"media_type"`
	Bytes           int64                 `json:"bytes"`
	SHA256          string                `json:"sha256"`
	Annotations     []Annotation          `json:"annotations,omitempty"`
	Questions       []Question            `json:"questions,omitempty"`
}

// Annotation is what somebody drew or wrote over the picture, in one version.
type Annotation struct {
	Series    media.AnnotationID `json:"series"`
	Version   int                `json:"version"`
	By        string             `json:"by"`
	At        time.Time          `json:"at"`
	RemovedAt *time.Time         `json:"removed_at,omitempty"`
	Marks     json.RawMessage    `json:"marks"`
}

// Question is what somebody asked about the picture, and the thread that
// followed. One that was asked about several pictures is with each of them.
type Question struct {
	Referral referral.ID    `json:"referral"`
	Items    []media.ItemID `json:"items"` // all that it is about, in this package or not
	By       string         `json:"by"`
	At       time.Time      `json:"at"`
	To       Audience       `json:"to"`
	Question string         `json:"question"`
	State    referral.State `json:"state"`
	Thread   []Message      `json:"thread"`
}

// Audience is whom a question asks.
type Audience struct {
	Kind link.AudienceKind `json:"kind"`
	Name string            `json:"name"` // of the person or the team; or the role
}

// Message is one message of a question's thread, oldest first.
type Message struct {
	By   string        `json:"by"`
	At   time.Time     `json:"at"`
	Kind referral.Kind `json:"kind"`
	Text string        `json:"text,omitempty"`
}

// metadata gathers what is recorded of an item whose manifest is m.
func (p *Package) metadata(ctx context.Context, it media.Item, m keyring.Manifest) (Metadata, error) {
	f := transfer.FieldsOf(p.d.Ring, "items", string(it.ID))
	data := Metadata{
		V: 1, Item: it.ID, Team: p.teams[it.Team], FiledAt: it.FiledAt, CapturedWith: it.CapturedWith,
		BodySite: f.Open("body_site", it.BodySite), Note: f.Open("note", it.Note), Consent: it.Consent, ConsentGivenBy: it.ConsentGivenBy, ConsentCapacity: it.ConsentCapacity,
		ConsentDetail: f.Open("consent_detail", it.ConsentDetail), File: "original" + it.Format.Ext(), MediaType: it.Format.MediaType(), Bytes: it.Bytes,
		SHA256: hex.EncodeToString(m.PlainSHA256[:]),
	}
	if f.Err() != nil {
		return data, f.Err()
	}
	if !it.CapturedAt.IsZero() {
		data.CapturedAt = &it.CapturedAt
	}
	row, err := p.d.Store.Patient(ctx, it.Patient)
	if err != nil {
		return data, err
	}
	patient, err := (transfer.PatientFinder{Ring: p.d.Ring}).Open(row)
	if err != nil {
		return data, err
	}
	data.Patient = patient.PatientDetails
	if data.FiledBy, err = p.name(ctx, it.Uploader); err != nil {
		return data, err
	}
	if it.Case != "" {
		c, err := p.d.Store.Case(ctx, it.Case)
		if err != nil {
			return data, err
		}
		f := transfer.FieldsOf(p.d.Ring, "cases", string(c.ID))
		if data.Case = f.Open("title", c.Title); f.Err() != nil {
			return data, f.Err()
		}
	}
	if data.Annotations, err = p.annotations(ctx, it.ID); err != nil {
		return data, err
	}
	data.Questions, err = p.questions(ctx, it)
	return data, err
}

func (p *Package) name(ctx context.Context, id access.PersonID) (string, error) {
	person, err := p.d.Store.Person(ctx, id)
	return person.Name, err
}

func (p *Package) annotations(ctx context.Context, id media.ItemID) ([]Annotation, error) {
	marks, err := p.d.Store.Annotations(ctx, id, true)
	if err != nil {
		return nil, err
	}
	var out []Annotation
	for _, a := range marks {
		f := transfer.FieldsOf(p.d.Ring, "annotations", string(a.ID))
		text := f.Open("marks", a.Marks)
		if f.Err() != nil {
			return nil, f.Err()
		}
		author, err := p.name(ctx, a.Author)
		if err != nil {
			return nil, err
		}
		v := Annotation{Series: a.Series, Version: a.Version, By: author, At: a.CreatedAt, Marks: json.RawMessage(text)}
		if !a.RemovedAt.IsZero() {
			v.RemovedAt = &a.RemovedAt
		}
		out = append(out, v)
	}
	return out, nil
}

// questions gathers what was asked about an item. What was asked while it was
// filed under another patient belongs to that one's record, and stays there.
func (p *Package) questions(ctx context.Context, it media.Item) ([]Question, error) {
	asked, err := p.d.Store.ReferralsAbout(ctx, it.ID)
	if err != nil {
		return nil, err
	}
	var out []Question
	for _, r := range asked {
		if r.Patient != it.Patient {
			continue
		}
		q, err := p.question(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

func (p *Package) question(ctx context.Context, r referral.Referral) (q Question, err error) {
	f := transfer.FieldsOf(p.d.Ring, "referrals", string(r.ID))
	q = Question{Referral: r.ID, At: r.AskedAt, To: Audience{r.Audience.Kind, r.Audience.ID}, Question: f.Open("question", r.Question), State: r.State, Thread: []Message{}}
	if f.Err() != nil {
		return q, f.Err()
	}
	if q.By, err = p.name(ctx, r.AskedBy); err != nil {
		return q, err
	}
	switch r.Audience.Kind {
	case link.ToPerson:
		if q.To.Name, err = p.name(ctx, access.PersonID(r.Audience.ID)); err != nil {
			return q, err
		}
	case link.ToTeam:
		q.To.Name = p.teams[access.TeamID(r.Audience.ID)]
	}
	items, err := p.d.Store.ReferralItems(ctx, r.ID)
	if err != nil {
		return q, err
	}
	for _, it := range items {
		q.Items = append(q.Items, it.ID)
	}
	messages, err := p.d.Store.Messages(ctx, r.ID)
	if err != nil {
		return q, err
	}
	for _, m := range messages {
		f := transfer.FieldsOf(p.d.Ring, "referral_messages", m.ID)
		v := Message{At: m.At, Kind: m.Kind, Text: f.Open("text", m.Text)}
		if f.Err() != nil {
			return q, f.Err()
		}
		if v.By, err = p.name(ctx, m.Person); err != nil {
			return q, err
		}
		q.Thread = append(q.Thread, v)
	}
	return q, nil
}
