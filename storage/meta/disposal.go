package meta

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// ErrNotEligible says that an item of a batch may not be destroyed: it is held,
// not due, in another batch, or gone.
var ErrNotEligible = errors.New("an item may not be destroyed")

// gate lets one through at a time of those who place holds and those who destroy.
func (t *tx) gate() error { return t.must("UPDATE disposal_gate SET turn = turn + 1 WHERE one = 1") }

// eligible is the one gate that destroying goes through: it locks the item's
// record, and gives why the item may not be destroyed, or "".
func (t *tx) eligible(item media.ItemID, g retention.Ground) (string, error) {
	if err := t.must("UPDATE patients SET stale = stale WHERE id = (SELECT patient FROM items WHERE id = ?)", string(item)); err != nil {
		return "", err
	}
	var underHold, isDue bool
	err := t.row("SELECT "+held+", i.due_on > 0 AND i.due_on <= {now} AND p.stale = 0 FROM items i JOIN patients p ON p.id = i.patient WHERE i.id = ? AND i.destroyed_at = 0", string(item)).Scan(&underHold, &isDue)
	switch {
	case errors.Is(t.s.d.classify(err), ErrNotFound):
		return retention.SparedGone, nil
	case err != nil:
		return "", err
	case underHold:
		return retention.SparedHeld, nil
	case g == retention.PeriodEnded && !isDue:
		return retention.SparedNotDue, nil
	}
	return "", nil
}

// DestroyKeys destroys the keys of an item of a running batch, and with them
// everything that shows or finds it: from its commit on nothing can. It gives
// why the item was spared instead, or "". Doing it again changes nothing.
func (s *Store) DestroyKeys(ctx context.Context, b retention.Batch, item media.ItemID, facts []byte, ev, spared audit.Event) (why string, err error) {
	err = s.within(ctx, func(t *tx) error {
		if err := t.gate(); err != nil {
			return err
		}
		var state retention.ItemState
		err := t.row("SELECT bi.state, bi.why FROM batch_items bi JOIN batches b ON b.id = bi.batch WHERE bi.batch = ? AND bi.item = ? AND b.state = 'running'", string(b.ID), string(item)).Scan(&state, &why)
		if err != nil || state != retention.Waiting {
			return err
		}
		if why, err = t.eligible(item, b.Ground); err != nil {
			return err
		}
		if why != "" {
			if err := t.must("UPDATE batch_items SET state = 'spared', why = ? WHERE batch = ? AND item = ?", why, string(b.ID), string(item)); err != nil {
				return err
			}
			return t.record(spared.With("why", why))
		}
		if err := t.destroyKeys(item); err != nil {
			return err
		}
		if err := t.must("UPDATE batch_items SET state = 'keyless', facts = ?, destroyed_at = {now} WHERE batch = ? AND item = ?", blob(facts), string(b.ID), string(item)); err != nil {
			return err
		}
		return t.record(ev)
	})
	return why, err
}

// destroyKeys is the only thing that removes a wrapped key. See eligible.
func (t *tx) destroyKeys(item media.ItemID) error {
	for _, do := range []string{
		// First, so that whoever is adding a rendition is waited for, and who comes
		// later is refused.
		"UPDATE items SET destroyed_at = {now}, sole = NULL, due_on = 0 WHERE id = ?",
		"DELETE FROM wrapped_keys WHERE item = ?",
		"UPDATE links SET revoked_at = {now} WHERE item = ? AND revoked_at = 0",
		"UPDATE grants SET expires_at = {now} WHERE item = ? AND expires_at > {now}",
		"DELETE FROM jobs WHERE item = ?",
		"DELETE FROM annotations WHERE item = ?",
		"DELETE FROM requests WHERE item = ?",
	} {
		if _, err := t.exec(do, string(item)); err != nil {
			return err
		}
	}
	return nil
}

// ForgetItem removes what is left of an item whose objects are deleted: where
// they were, and everything that was written about it. A referral, a case and
// a patient of which nothing else is left lose their texts too, and an invitation
// whom it was for.
func (s *Store) ForgetItem(ctx context.Context, b retention.BatchID, item media.ItemID, ev audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE batch_items SET state = 'destroyed' WHERE batch = ? AND item = ? AND state = 'keyless'", string(b), string(item))
		if err != nil || n == 0 {
			return err // another has done it
		}
		if err := t.forget(item); err != nil {
			return err
		}
		return t.record(ev)
	})
}

func (t *tx) forget(item media.ItemID) error {
	empty := []byte{}
	for _, do := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM renditions WHERE item = ?", []any{string(item)}},
		{"DELETE FROM viewings WHERE item = ?", []any{string(item)}},
		{"UPDATE links SET purpose = ? WHERE item = ?", []any{empty, string(item)}},
		{"UPDATE moves SET reason = ? WHERE item = ?", []any{empty, string(item)}},
		{"UPDATE items SET body_site = ?, note = ?, receipt = ?, manifest = ?, consent_detail = ?, fingerprint = ?, site = NULL, quality = '' WHERE id = ?",
			[]any{empty, empty, empty, empty, empty, empty, string(item)}},
		{`UPDATE referral_messages SET text = ? WHERE referral IN (` + emptied("referral_items", "referral") + `)`, []any{empty, string(item)}},
		{`UPDATE referrals SET question = ?, state = 'closed' WHERE id IN (` + emptied("referral_items", "referral") + `)`, []any{empty, string(item)}},
		{`UPDATE invitations SET name = ?, email = ?, purpose = ?, revoked_at = CASE WHEN revoked_at = 0 THEN {now} ELSE revoked_at END WHERE id IN (` + emptied("invitation_items", "invitation") + `)`,
			[]any{empty, empty, empty, string(item)}},
		{`UPDATE cases SET title = ? WHERE id = (SELECT case_id FROM items WHERE id = ?) AND NOT EXISTS (SELECT 1 FROM items i WHERE i.case_id = cases.id AND i.destroyed_at = 0)`, []any{empty, string(item)}},
	} {
		if _, err := t.exec(do.sql, do.args...); err != nil {
			return err
		}
	}
	return t.forgetPatient(item)
}

// emptied chooses the groups of an item in which nothing is left.
func emptied(table, group string) string {
	return "SELECT g." + group + " FROM " + table + " g WHERE g.item = ? AND NOT EXISTS (SELECT 1 FROM " + table + " o JOIN items i ON i.id = o.item WHERE o." + group + " = g." + group + " AND i.destroyed_at = 0)"
}

// forgetPatient removes who a patient was of whom nothing is left. The number
// can be registered again: then it is a new patient here.
func (t *tx) forgetPatient(item media.ItemID) error {
	other := make([]byte, 32)
	if _, err := rand.Read(other); err != nil {
		return err
	}
	// First, so that whoever is filing something for the patient is waited for,
	// and who comes later finds nobody.
	if _, err := t.exec("UPDATE patients SET stale = stale WHERE id = (SELECT patient FROM items WHERE id = ?)", string(item)); err != nil {
		return err
	}
	var patient media.PatientID
	err := t.row(`SELECT p.id FROM patients p WHERE p.id = (SELECT patient FROM items WHERE id = ?)
		AND NOT EXISTS (SELECT 1 FROM items i WHERE i.patient = p.id AND i.destroyed_at = 0)
		AND NOT EXISTS (SELECT 1 FROM hold_patients hp JOIN holds h ON h.id = hp.hold WHERE hp.patient = p.id AND h.released_at = 0)`, string(item)).Scan(&patient)
	if errors.Is(t.s.d.classify(err), ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := t.exec("UPDATE patients SET details = ?, number_index = ?, stale = 0 WHERE id = ?", []byte{}, other, string(patient)); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM patient_events WHERE patient = ?", string(patient)); err != nil {
		return err
	}
	if _, err := t.exec("UPDATE cases SET title = ? WHERE patient = ?", []byte{}, string(patient)); err != nil {
		return err
	}
	rows, err := t.QueryContext(t.ctx, t.s.text("SELECT id FROM patients WHERE merged_into = ?"), string(patient))
	if err != nil {
		return err
	}
	var merged []media.PatientID
	for rows.Next() {
		var id media.PatientID
		if err := rows.Scan(&id); err != nil {
			return errors.Join(err, rows.Close())
		}
		merged = append(merged, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, id := range append(merged, patient) {
		if _, err := t.exec("UPDATE merges SET reason = ?, undo_reason = ? WHERE from_patient = ? OR to_patient = ?", []byte{}, []byte{}, string(id), string(id)); err != nil {
			return err
		}
	}
	for i, id := range merged {
		index := append([]byte{byte(i)}, other...)
		if _, err := t.exec("UPDATE patients SET details = ?, number_index = ?, stale = 0 WHERE id = ?", []byte{}, index, string(id)); err != nil {
			return err
		}
	}
	return nil
}

// DestroyAgain destroys an item that a certificate says is destroyed, but that
// an old backup brought back. It reports whether there was anything to do.
// Holds do not count: what it undoes is the restore, not the destruction.
func (s *Store) DestroyAgain(ctx context.Context, item media.ItemID, ev audit.Event) (objects []string, err error) {
	rows, err := s.Renditions(ctx, item)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		objects = append(objects, r.ObjectKey)
	}
	err = s.within(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE items SET destroyed_at = {now} WHERE id = ? AND (destroyed_at = 0 OR receipt <> ?)", string(item), []byte{})
		if err != nil || n == 0 {
			objects = nil
			return err
		}
		if err := t.destroyKeys(item); err != nil {
			return err
		}
		if err := t.forget(item); err != nil {
			return err
		}
		return t.record(ev)
	})
	return objects, err
}

// RestoreBatch enters a batch that was destroyed, and its certificate, into a
// database that an old backup brought back.
func (s *Store) RestoreBatch(ctx context.Context, b retention.Batch, items []media.ItemID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		empty := []byte{}
		_, err := t.exec(`INSERT INTO batches (id, ground, state, reason, salt, proposed_at, decision, run_at, started_at, finished_at, certificate, final)
			VALUES (?,?,'destroyed',?,?,?,?,?,?,?,?,?)
			ON CONFLICT (id) DO UPDATE SET state = 'destroyed', run_at = excluded.run_at, started_at = excluded.started_at, finished_at = excluded.finished_at, certificate = excluded.certificate`,
			string(b.ID), string(b.Ground), empty, blob(b.Salt), at(b.ProposedAt), empty, at(b.RunAt), at(b.StartedAt), at(b.FinishedAt), blob(b.Certificate), empty)
		if err != nil {
			return err
		}
		for _, id := range items {
			// Of an item that is newer than the backup there is no row to name.
			_, err := t.exec(`INSERT INTO batch_items (batch, item, state, facts, destroyed_at) SELECT ?, id, 'destroyed', ?, ? FROM items WHERE id = ?
				ON CONFLICT (batch, item) DO UPDATE SET state = 'destroyed', destroyed_at = excluded.destroyed_at`, string(b.ID), empty, at(b.FinishedAt), string(id))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Purge has the database let go of what was deleted: copies that it keeps for
// itself in free pages and dead rows.
func (s *Store) Purge(ctx context.Context) error {
	_, err := s.w.ExecContext(ctx, s.d.purge)
	return s.d.classify(err)
}
