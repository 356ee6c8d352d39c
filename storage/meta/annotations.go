package meta

import (
	"context"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

const annotationColumns = "a.id, a.item, a.series, a.version, a.author, a.marks, a.created_at, a.removed_at"

func scanAnnotation(scan func(...any) error) (media.Annotation, error) {
	var a media.Annotation
	var made, removed micros
	err := scan(&a.ID, &a.Item, &a.Series, &a.Version, &a.Author, &a.Marks, &made, &removed)
	a.CreatedAt, a.RemovedAt = made.time(), removed.time()
	return a, err
}

// AddAnnotation adds a version of a set and gives it with its time. A later
// version follows the one before it: ErrExists when there is one already, and
// ErrNotFound when the version before it is missing or was taken away.
func (s *Store) AddAnnotation(ctx context.Context, a media.Annotation, ev audit.Event) (media.Annotation, error) {
	err := s.change(ctx, ev, func(t *tx) error {
		if a.Version > 1 { // an update that changes nothing holds the series until this is committed
			err := t.must("UPDATE annotations SET removed_at = 0 WHERE series = ? AND version = ? AND item = ? AND author = ? AND removed_at = 0",
				string(a.Series), a.Version-1, string(a.Item), string(a.Author))
			if err != nil {
				return err
			}
		}
		var made micros
		err := t.row("INSERT INTO annotations (id, item, series, version, author, marks, created_at) VALUES (?,?,?,?,?,?,{now}) RETURNING created_at",
			string(a.ID), string(a.Item), string(a.Series), a.Version, string(a.Author), blob(a.Marks)).Scan(&made)
		a.CreatedAt = made.time()
		return err
	})
	return a, err
}

// Annotation finds one version of a set, removed or not.
func (s *Store) Annotation(ctx context.Context, id media.AnnotationID) (media.Annotation, error) {
	a, err := scanAnnotation(s.read(ctx, "SELECT "+annotationColumns+" FROM annotations a WHERE a.id = ?", string(id)).Scan)
	return a, s.d.classify(err)
}

// Annotations lists an item's sets in the order in which they were begun: the
// newest version of each that was not taken away or, with history, every
// version.
func (s *Store) Annotations(ctx context.Context, item media.ItemID, history bool) ([]media.Annotation, error) {
	query := "SELECT " + annotationColumns + " FROM annotations a WHERE a.item = ?"
	if !history {
		query += " AND a.removed_at = 0 AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.series = a.series AND n.version > a.version)"
	}
	var out []media.Annotation
	err := s.all(ctx, func(scan func(...any) error) error {
		a, err := scanAnnotation(scan)
		out = append(out, a)
		return err
	}, query+" ORDER BY a.series, a.version", string(item))
	return out, err
}

// CountAnnotations says how many rows an item has.
func (s *Store) CountAnnotations(ctx context.Context, item media.ItemID) (int, error) {
	var n int
	err := s.read(ctx, "SELECT count(*) FROM annotations WHERE item = ?", string(item)).Scan(&n)
	return n, s.d.classify(err)
}

// RemoveAnnotation marks every version of a set as taken away. Doing so twice
// changes and records nothing.
func (s *Store) RemoveAnnotation(ctx context.Context, series media.AnnotationID, ev audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE annotations SET removed_at = {now} WHERE series = ? AND removed_at = 0", string(series))
		if err != nil {
			return err
		}
		if n > 0 {
			return t.record(ev)
		}
		return t.row("SELECT series FROM annotations WHERE series = ? LIMIT 1", string(series)).Scan(&series)
	})
}
