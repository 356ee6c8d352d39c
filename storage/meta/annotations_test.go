package meta_test

import (
	"testing"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

func TestAnnotationVersions(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		it, other := w.file(nil), w.file(nil)
		first := media.Annotation{ID: media.NewAnnotationID(), Item: it.ID, Version: 1, Author: w.nurse.ID, Marks: media.Sealed("one")}
		first.Series = first.ID
		kept, err := w.AddAnnotation(ctx, first, ev(audit.Annotated))
		w.must(err)
		if kept.CreatedAt.IsZero() {
			t.Error("no time")
		}
		next := func(change func(*media.Annotation)) error {
			a := media.Annotation{ID: media.NewAnnotationID(), Item: it.ID, Series: first.ID, Version: 2, Author: w.nurse.ID, Marks: media.Sealed("two")}
			change(&a)
			_, err := w.AddAnnotation(ctx, a, ev(audit.Annotated))
			return err
		}
		w.wants(next(func(a *media.Annotation) { a.Author = w.colleague.ID }), meta.ErrNotFound, "somebody else's")
		w.wants(next(func(a *media.Annotation) { a.Item = other.ID }), meta.ErrNotFound, "another item's")
		w.wants(next(func(a *media.Annotation) { a.Version = 3 }), meta.ErrNotFound, "a version left out")
		w.must(next(func(*media.Annotation) {}))
		w.wants(next(func(*media.Annotation) {}), meta.ErrExists, "the same version twice")
		now, err := w.Annotations(ctx, it.ID, false)
		w.must(err)
		if len(now) != 1 || now[0].Version != 2 || string(now[0].Marks) != "two" {
			t.Errorf("%+v", now)
		}
		w.must(w.RemoveAnnotation(ctx, first.ID, ev(audit.AnnotationRemoved)))
		w.must(w.RemoveAnnotation(ctx, first.ID, ev(audit.AnnotationRemoved)))
		w.wants(w.RemoveAnnotation(ctx, media.NewAnnotationID(), ev(audit.AnnotationRemoved)), meta.ErrNotFound, "none")
		w.wants(next(func(a *media.Annotation) { a.Version = 3 }), meta.ErrNotFound, "a removed set")
		now, err = w.Annotations(ctx, it.ID, false)
		w.must(err)
		all, err := w.Annotations(ctx, it.ID, true)
		w.must(err)
		n, err := w.CountAnnotations(ctx, it.ID)
		w.must(err)
		if len(now) != 0 || len(all) != 2 || n != 2 || all[0].RemovedAt.IsZero() || string(all[0].Marks) != "one" {
			t.Errorf("%+v %+v %d", now, all, n)
		}
		if one, err := w.Annotation(ctx, first.ID); err != nil || one.Author != w.nurse.ID || one.RemovedAt.IsZero() {
			t.Errorf("%+v %v", one, err)
		}
		events, err := w.Events(ctx, meta.EventFilter{Type: audit.AnnotationRemoved, Limit: 9})
		w.must(err)
		if len(events) != 1 {
			t.Errorf("%d removals are recorded", len(events))
		}
	})
}
