package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/blob"
)

// prune removes the backups that have been kept as long as they may be, with
// every part and object that no other backup names. The one just made stays.
//
// An object goes for good: none that a backup does not name is named by a later
// one. So what the oldest of those that stay has noted as dropped is named by
// none of them.
func (m *Maker) prune(ctx context.Context, began time.Time) error {
	if m.Keep <= 0 {
		return nil
	}
	ids, err := List(ctx, m.Place)
	if err != nil {
		return err
	}
	var stay []string
	for _, id := range ids {
		made, _ := timeOf(id)
		if id == m.made.Manifest.ID || m.made.Manifest.TakenAt.Sub(made) < m.Keep {
			stay = append(stay, id)
			continue
		}
		gone, err := m.remove(ctx, manifestKey(id))
		if err != nil {
			return err
		}
		if !gone {
			stay = append(stay, id)
			continue
		}
		m.made.Pruned = append(m.made.Pruned, id)
	}
	if len(m.made.Pruned) == 0 {
		return nil
	}
	named, oldest := map[string]bool{}, Manifest{}
	for i, id := range stay {
		man, _, err := openManifest(ctx, m.Place, m.Own, id)
		if err != nil {
			return fmt.Errorf("no part is removed, since one backup cannot be read: %w", err)
		}
		if i == 0 {
			oldest = man
		}
		for name := range man.names() {
			named[name] = true
		}
	}
	if err := m.dropped(ctx, oldest); err != nil {
		return err
	}
	var old []blob.Key
	err = m.parts(ctx, func(name string, i blob.Info) error {
		if !named[name] && began.Sub(i.Modified) > m.Settled {
			old = append(old, i.Key)
		}
		return nil
	})
	for _, key := range old {
		if err == nil {
			_, err = m.remove(ctx, key)
		}
	}
	if err != nil {
		return err
	}
	ev := audit.NewEvent(audit.BackupPruned, access.Principal{}, audit.Subject{}).With("backups", strconv.Itoa(len(m.made.Pruned)))
	return m.Store.AppendEvent(ctx, ev)
}

// dropped removes the objects that a backup has noted as named no more.
func (m *Maker) dropped(ctx context.Context, man Manifest) error {
	for _, p := range man.Dropped {
		plain, err := openPart(ctx, m.Place, m.Own, p)
		if err != nil {
			return err
		}
		in := bufio.NewScanner(bytes.NewReader(plain))
		for in.Scan() {
			key, err := blob.ParseKey(objects + in.Text())
			if err != nil {
				return err
			}
			if _, err := m.remove(ctx, key); err != nil {
				return err
			}
		}
		if err := in.Err(); err != nil {
			return err
		}
	}
	return nil
}

// remove removes something from the place; what the place has locked stays, and
// is counted.
func (m *Maker) remove(ctx context.Context, key blob.Key) (bool, error) {
	err := m.Place.Delete(ctx, key)
	if errors.Is(err, blob.ErrLocked) {
		m.made.Locked++
		return false, nil
	}
	return err == nil, err
}
