package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// AnnotationStore is what marking pictures needs of the database.
type AnnotationStore interface {
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	AddAnnotation(ctx context.Context, a media.Annotation, ev audit.Event) (media.Annotation, error)
	Annotation(ctx context.Context, id media.AnnotationID) (media.Annotation, error)
	Annotations(ctx context.Context, item media.ItemID, history bool) ([]media.Annotation, error)
	CountAnnotations(ctx context.Context, item media.ItemID) (int, error)
	RemoveAnnotation(ctx context.Context, series media.AnnotationID, ev audit.Event) error
}

// Annotations keeps what people draw and write over pictures, apart from the
// pictures, which never change.
type Annotations struct {
	Gate  GateStore
	Store AnnotationStore
	Views *Views // decides about opened links
	Ring  *keyring.Ring
}

// maxVersions bounds what one item collects, of all people and times.
const maxVersions = 2000

// AnnotationView is one version of a set with its marks opened.
type AnnotationView struct {
	media.Annotation
	Marks media.Marks
}

// Of gives the sets over an item: as they are now or, with history, every
// version there was.
func (s *Annotations) Of(ctx context.Context, who access.Principal, id media.ItemID, history bool) ([]AnnotationView, error) {
	it, err := findItem(ctx, s.Store, gate{s.Gate}, who, access.SeeAnnotations, id)
	if err != nil {
		return nil, err
	}
	return s.shown(ctx, who, it, history, link.Grant{})
}

// Opened gives the sets over the item of an opened link, as they are now.
func (s *Annotations) Opened(ctx context.Context, who access.Principal, id link.GrantID) ([]AnnotationView, error) {
	g, it, err := s.Views.granted(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return s.shown(ctx, who, it, false, g)
}

func (s *Annotations) shown(ctx context.Context, who access.Principal, it media.Item, history bool, through link.Grant) ([]AnnotationView, error) {
	rows, err := s.Store.Annotations(ctx, it.ID, history)
	if err != nil {
		return nil, down(fmt.Errorf("list the annotations: %w", err))
	}
	out := make([]AnnotationView, 0, len(rows))
	for _, row := range rows {
		v, err := s.open(row)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	ev := audit.NewEvent(audit.AnnotationsShown, who, audit.Subject{Item: string(it.ID), Patient: string(it.Patient), Grant: string(through.ID), Link: string(through.Link)})
	return out, (gate{s.Gate}).record(ctx, ev.With("count", strconv.Itoa(len(out))))
}

func (s *Annotations) open(row media.Annotation) (AnnotationView, error) {
	f := fields{ring: s.Ring, table: "annotations", row: string(row.ID)}
	v := AnnotationView{Annotation: row}
	text := f.open("marks", row.Marks)
	if f.err != nil {
		return v, f.err
	}
	if err := json.Unmarshal([]byte(text), &v.Marks); err != nil {
		return v, fmt.Errorf("read an annotation: %w", err)
	}
	return v, nil
}

// Add keeps marks over an item as a new set or, when replaces names the newest
// version of one of who's own sets, as that set's next version. The text is
// what came from outside.
func (s *Annotations) Add(ctx context.Context, who access.Principal, id media.ItemID, replaces media.AnnotationID, text []byte) (AnnotationView, error) {
	it, err := findItem(ctx, s.Store, gate{s.Gate}, who, access.Annotate, id)
	if err != nil {
		return AnnotationView{}, err
	}
	marks, err := media.ParseMarks(text)
	if err != nil {
		return AnnotationView{}, err
	}
	row := media.Annotation{ID: media.NewAnnotationID(), Item: it.ID, Version: 1, Author: who.Person.ID}
	row.Series = row.ID
	if replaces != "" {
		before, err := s.own(ctx, who, replaces)
		if err != nil {
			return AnnotationView{}, err
		}
		if before.Item != it.ID || !before.RemovedAt.IsZero() {
			return AnnotationView{}, errChangedSince
		}
		row.Series, row.Version = before.Series, before.Version+1
	}
	if err := s.room(ctx, it.ID); err != nil {
		return AnnotationView{}, err
	}
	kept, err := json.Marshal(marks) // what was understood, and nothing else
	if err != nil {
		return AnnotationView{}, fmt.Errorf("write the marks: %w", err)
	}
	f := fields{ring: s.Ring, table: "annotations", row: string(row.ID)}
	row.Marks = f.seal("marks", string(kept))
	if f.err != nil {
		return AnnotationView{}, f.err
	}
	row, err = s.Store.AddAnnotation(ctx, row, s.event(audit.Annotated, who, it, row).With("version", strconv.Itoa(row.Version)))
	if errors.Is(err, meta.ErrExists) || errors.Is(err, meta.ErrNotFound) {
		return AnnotationView{}, errChangedSince
	}
	if err != nil {
		return AnnotationView{}, down(fmt.Errorf("keep the annotation: %w", err))
	}
	return AnnotationView{Annotation: row, Marks: marks}, nil
}

// room refuses an item that holds all the versions it may.
func (s *Annotations) room(ctx context.Context, id media.ItemID) error {
	n, err := s.Store.CountAnnotations(ctx, id)
	if err != nil {
		return down(fmt.Errorf("count the annotations: %w", err))
	}
	if n >= maxVersions {
		return fault.New(fault.Conflict, "annotations-full", "This picture holds as many saved marks as it can. Nothing was saved.")
	}
	return nil
}

// Remove takes away one of who's own sets, whichever of its versions is named.
// The record keeps it.
func (s *Annotations) Remove(ctx context.Context, who access.Principal, id media.AnnotationID) error {
	row, err := s.own(ctx, who, id)
	if err != nil {
		return err
	}
	it, err := findItem(ctx, s.Store, gate{s.Gate}, who, access.Annotate, row.Item)
	if err != nil {
		return err
	}
	if err := s.Store.RemoveAnnotation(ctx, row.Series, s.event(audit.AnnotationRemoved, who, it, row)); err != nil {
		return down(fmt.Errorf("remove the annotation: %w", err))
	}
	return nil
}

// own finds a version of a set that is who's own. What somebody may not see
// does not exist; what they may see and did not make is refused as such.
func (s *Annotations) own(ctx context.Context, who access.Principal, id media.AnnotationID) (media.Annotation, error) {
	g := gate{s.Gate}
	if err := g.role(ctx, who, access.Annotate); err != nil {
		return media.Annotation{}, err
	}
	if !media.ValidID(string(id)) {
		return media.Annotation{}, errNoItem
	}
	row, err := s.Store.Annotation(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		return row, errNoItem
	}
	if err != nil {
		return row, down(fmt.Errorf("find the annotation: %w", err))
	}
	it, err := findItem(ctx, s.Store, g, who, access.Annotate, row.Item)
	if err != nil || row.Author == who.Person.ID {
		return row, err
	}
	ev := s.event(audit.AccessDenied, who, it, row).With("action", string(access.Annotate))
	return row, errors.Join(fault.New(fault.Denied, "annotation-not-yours", "Only who made these marks can change or remove them. Make marks of your own beside them."), g.record(ctx, ev))
}

func (s *Annotations) event(t audit.Type, who access.Principal, it media.Item, row media.Annotation) audit.Event {
	return audit.NewEvent(t, who, audit.Subject{Item: string(it.ID), Patient: string(it.Patient), Annotation: string(row.Series)})
}

var errChangedSince = fault.New(fault.Conflict, "annotation-changed", "These marks were changed or removed meanwhile, perhaps in another window. Open the page again to see them as they are.")
