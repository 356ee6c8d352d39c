package backup

import (
	"testing"
	"time"
)

// Names sort as the backups were made, also within a second and after one that
// an older version named; and all of them tell when.
func TestNamesSort(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 22, 55, 19, 0, time.UTC)
	last := "20261124t225518z-ffffffff" // as older versions named them
	for i := range 100 {
		made := at.Add(time.Duration(i) * time.Millisecond)
		id := newID(made)
		if id <= last {
			t.Errorf("%s does not come after %s", id, last)
		}
		if got, ok := timeOf(id); !ok || !got.Equal(made) {
			t.Errorf("%s was made at %s (%v)", id, got, ok)
		}
		if _, ok := timeOf(last); !ok {
			t.Errorf("%s tells no time", last)
		}
		last = id
	}
}
