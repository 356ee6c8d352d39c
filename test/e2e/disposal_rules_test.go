package e2e

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

// both opens a house with two records officers, and a policy that change makes.
func both(t *testing.T, kind string, change func(*config.Config)) *house {
	t.Helper()
	h := open(t, kind, change)
	if err := h.guided(h.hire("records2", access.RecordsOfficer)); err != nil {
		t.Fatal(err)
	}
	return h
}

// approved has one person propose and another approve.
func (h *house) approved(ground string, items ...media.ItemID) string {
	h.t.Helper()
	batch := h.proposed(h.as("records"), body{"ground": ground, "items": items, "reason": "x"})
	two := h.as("records2")
	two.stepUp()
	two.must("POST", "/disposals/"+batch+"/approve", http.StatusNoContent, body{})
	return batch
}

func (h *house) batch(id string) (b api.Batch) {
	h.t.Helper()
	h.as("auditor").must("GET", "/disposals/"+id, http.StatusOK, nil).into(h.t, &b)
	return b
}

// Between approval and destruction, a hold and a record that comes back into
// use each spare what they are about, and the certificate says so.
func TestSparedAtTheLastMoment(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			h := both(t, kind, kept(retention.Scotland, 0))
			nurse, records := h.as("nurse"), h.as("records")
			people := []string{"9990000018", "9990000026", "9990000034"}
			for _, n := range people[1:] {
				nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": n, "name": "Other Patient", "date_of_birth": "1950-01-31"})
			}
			var filed []api.Item
			var ids []media.ItemID
			for _, n := range people {
				it := h.file(nurse, "patient_number", n)
				h.dead(it.Patient)
				filed, ids = append(filed, it), append(ids, it.ID)
			}
			batch := h.approved("retention", ids...)
			records.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "patients": []media.PatientID{filed[0].Patient}})
			for _, e := range records.record(filed[1].Patient).Events { // the death was recorded in error
				records.must("POST", "/records/"+string(filed[1].Patient)+"/events/"+string(e.ID)+"/cancel", http.StatusNoContent, nil)
			}
			h.keep()
			b := h.batch(batch)
			if b.State != retention.Destroyed || b.Destroyed != 1 || b.Spared != 2 {
				t.Fatalf("%+v", b)
			}
			c, err := disposal.VerifyCertificate(h.signer(), records.must("GET", "/disposals/"+batch+"/certificate", http.StatusOK, nil).body)
			if err != nil {
				t.Fatal(err)
			}
			why := map[media.ItemID]string{}
			for _, s := range c.Spared {
				why[s.Item] = s.Why
			}
			if why[ids[0]] != retention.SparedHeld || why[ids[1]] != retention.SparedNotDue || len(c.Destroyed) != 1 || c.Destroyed[0].Item != ids[2] || c.Final {
				t.Errorf("the certificate: %+v", c)
			}
			for i, want := range []int{200, 200, 410} {
				if a := nurse.ask("GET", "/items/"+string(ids[i])+"/renditions/original-clean", nil); a.status != want {
					t.Errorf("item %d: %d", i, a.status)
				}
			}
		})
	}
}

// Consent that is withdrawn, and an erasure that was asked for, take the same
// way, whatever the schedule says; a hold still stops them.
func TestConsentAndErasure(t *testing.T) {
	t.Parallel()
	h := both(t, "sqlite+filesystem", kept(retention.England, 0))
	nurse, records := h.as("nurse"), h.as("records")
	taught := h.file(nurse, "consent", "C")
	if a := records.ask("POST", "/classes", body{"item": h.file(nurse).ID, "class": "teaching"}); a.code() != "class-without-consent" {
		t.Errorf("a copy for teaching of what was not agreed to: %s", a.code())
	}
	records.must("POST", "/classes", http.StatusNoContent, body{"item": taught.ID, "class": "teaching"})
	h.keep()
	if len(records.due()) != 0 {
		t.Error("a copy is due while there is consent")
	}
	records.must("POST", "/items/"+string(taught.ID)+"/end-consent", http.StatusNoContent, body{"consent": "A"})
	h.keep()
	if due := records.due(); len(due) != 1 || due[0].Item != taught.ID || !strings.Contains(due[0].Why.String(), "consent ended on") {
		t.Errorf("due: %+v", due)
	}
	unwanted, asked := h.file(nurse).ID, h.file(nurse).ID
	h.keep()
	for ground, item := range map[string]media.ItemID{"consent": unwanted, "erasure": asked, "retention": taught.ID} {
		var hold struct{ ID retention.HoldID }
		records.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "everything": true}).into(t, &hold)
		if a := records.ask("POST", "/disposals", body{"ground": ground, "items": []media.ItemID{item}, "reason": "x"}); a.code() != "not-eligible" {
			t.Errorf("%s, held: %s", ground, a.code())
		}
		records.must("POST", "/holds/"+string(hold.ID)+"/release", http.StatusNoContent, body{"reason": "over"})
		batch := h.approved(ground, item)
		h.keep()
		if b := h.batch(batch); b.Destroyed != 1 {
			t.Errorf("%s: %+v", ground, b)
		}
	}
	if r := records.record(taught.Patient); len(r.Items) != 1 {
		t.Errorf("%d items are left", len(r.Items))
	}
}

// Without being told how long backups are kept nothing is destroyed; England's
// code allows nothing automatic; Scotland's does where policy says so; once no
// backup can hold a key the certificate is final.
func TestPolicyOfDisposal(t *testing.T) {
	t.Parallel()
	h := both(t, "sqlite+filesystem", func(c *config.Config) {
		kept(retention.Scotland, 0)(c)
		c.Records.Backups, c.Records.Organisation = 0, ""
	})
	it := h.file(h.as("nurse"))
	h.dead(it.Patient)
	if a := h.as("records").ask("POST", "/disposals", body{"ground": "retention", "items": []media.ItemID{it.ID}, "reason": "x"}); a.code() != "policy-unset" {
		t.Errorf("without a policy: %s", a.code())
	}

	automatic := func(j retention.Jurisdiction) config.Config {
		c := config.Default(t.TempDir())
		kept(j, 4*time.Second)(&c)
		c.Records.Automatic, c.Records.Backups = true, time.Millisecond
		return c
	}
	if err := automatic(retention.England).Check(); err == nil {
		t.Error("England's schedule may be automatic")
	}
	h = both(t, "sqlite+filesystem", func(c *config.Config) { c.Records = automatic(retention.Scotland).Records })
	it = h.file(h.as("nurse"))
	held := h.file(h.as("nurse"), "body_site", "left knee")
	h.as("records").must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "body_site": "knee"})
	h.dead(it.Patient)
	h.keep()
	h.as("nurse").must("GET", "/items/"+string(it.ID), http.StatusOK, nil) // it can be undone
	time.Sleep(4 * time.Second)
	h.keep()
	if a := h.as("nurse").ask("GET", "/items/"+string(it.ID), nil); a.status != http.StatusGone {
		t.Errorf("what was due: %d", a.status)
	}
	h.as("nurse").must("GET", "/items/"+string(held.ID), http.StatusOK, nil)
	var log struct{ Disposals []api.Batch }
	h.as("records").must("GET", "/disposals", http.StatusOK, nil).into(t, &log)
	if len(log.Disposals) != 1 || log.Disposals[0].ProposedBy != "" || !log.Disposals[0].Final {
		t.Fatalf("the log: %+v", log.Disposals)
	}
	c, err := disposal.VerifyCertificate(h.signer(), h.as("records").must("GET", "/disposals/"+string(log.Disposals[0].ID)+"/certificate", http.StatusOK, nil).body)
	if err != nil || !c.Final || !strings.Contains(c.Approved.Name, "policy of automatic disposal") {
		t.Errorf("the certificate: %+v (%v)", c, err)
	}
}

// A review keeps things longer, with a reason and a day on which they come
// back.
func TestReviewKeeps(t *testing.T) {
	t.Parallel()
	h := both(t, "postgres+s3", kept(retention.Scotland, 0))
	it := h.file(h.as("nurse"))
	h.dead(it.Patient)
	records := h.as("records")
	for code, ask := range map[string]body{
		"until-form":       {"items": []media.ItemID{it.ID}, "decision": "keep", "until": "2020-01-01", "reason": "x"},
		"reason-missing":   {"items": []media.ItemID{it.ID}, "decision": "keep", "until": "2099-01-01", "reason": " "},
		"decision-unknown": {"items": []media.ItemID{it.ID}, "decision": "burn", "until": "2099-01-01", "reason": "x"},
	} {
		if a := records.ask("POST", "/due/keep", ask); a.code() != code {
			t.Errorf("%v: %s", ask, a.code())
		}
	}
	records.must("POST", "/due/keep", http.StatusNoContent, body{"items": []media.ItemID{it.ID}, "decision": "keep", "until": "2099-01-01", "reason": "research"})
	h.keep()
	if len(records.due()) != 0 {
		t.Error("it is still due")
	}
	if r := records.record(it.Patient); r.Items[0].ReviewOn != "2099-01-01" {
		t.Errorf("it comes back on %s", r.Items[0].ReviewOn)
	}
	if a := records.ask("POST", "/disposals", body{"ground": "retention", "items": []media.ItemID{it.ID}, "reason": "x"}); a.code() != "not-eligible" {
		t.Errorf("what was kept is proposed: %s", a.code())
	}
}

// A change of schedule is looked at first, then applied as a new version, and
// moves every date.
func TestScheduleChanges(t *testing.T) {
	t.Parallel()
	h := both(t, "sqlite+filesystem", kept(retention.Scotland, 0))
	it := h.file(h.as("nurse"))
	h.dead(it.Patient)
	records := h.as("records")
	if a := records.ask("POST", "/schedule/simulate", nil); a.code() != "no-new-schedule" {
		t.Errorf("nothing new: %s", a.code())
	}
	shipped, err := os.ReadFile("../../internal/retention/schedules/scotland.yaml")
	if err != nil {
		t.Fatal(err)
	}
	own := strings.NewReplacer(`edition: "1"`, `edition: "board 2027"`, "years-after-death: 3", "years-after-death: 30").Replace(string(shipped))
	path := filepath.Join(h.data, "own.yaml")
	if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	h.sys.Config.Records.Schedule = path
	h.reopen()
	records = h.as("records")
	var s api.Schedule
	records.must("GET", "/schedule", http.StatusOK, nil).into(t, &s)
	if s.Version != 1 || s.Offered != "board 2027" {
		t.Fatalf("%+v", s)
	}
	b := records.must("POST", "/schedule/simulate", http.StatusOK, nil).body
	for _, want := range []string{`"items":1`, `"later":1`, `"due_now":1`, `"due_then":0`, `"adult":1`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s: %s", want, b)
		}
	}
	if len(records.due()) != 1 {
		t.Error("looking has changed something")
	}
	records.must("POST", "/schedule/apply", http.StatusNoContent, body{"version": 1})
	if a := records.ask("POST", "/schedule/apply", body{"version": 1}); a.code() != "schedule-changed" {
		t.Errorf("twice: %s", a.code())
	}
	h.keep()
	if len(records.due()) != 0 {
		t.Error("the new schedule does not count")
	}
	records.must("GET", "/schedule", http.StatusOK, nil).into(t, &s)
	if s.Version != 2 || s.Edition != "board 2027" {
		t.Errorf("%+v", s)
	}
}

// Where the bucket has locks, the store itself refuses to delete what is kept,
// and what a hold is on, until both have ended.
func TestObjectsAreLocked(t *testing.T) {
	t.Parallel()
	srv := servers.VersityGW(t)
	h := both(t, "postgres+s3", func(c *config.Config) {
		kept(retention.Scotland, 0)(c)
		c.Objects.Bucket, c.Objects.Lock = srv.NewLockingBucket(t), true
	})
	nurse, records := h.as("nurse"), h.as("records")
	it := h.file(nurse)
	object := func(id media.ItemID) blob.Info {
		t.Helper()
		row, _, err := h.sys.Store.Rendition(t.Context(), id, media.Original)
		if err != nil {
			t.Fatal(err)
		}
		info, err := h.sys.Objects.Stat(t.Context(), blob.Key(row.ObjectKey))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	h.keep()
	due, err := time.Parse(time.DateOnly, records.record(it.Patient).Items[0].ReviewOn)
	if o := object(it.ID); err != nil || !o.LockedUntil.Equal(due) || o.LegalHold {
		t.Errorf("locked until %s, kept until %s: %v", o.LockedUntil, due, err)
	}
	if err := h.sys.Objects.Delete(t.Context(), object(it.ID).Key); !errors.Is(err, blob.ErrLocked) {
		t.Errorf("deleted all the same: %v", err)
	}
	var hold struct{ ID retention.HoldID }
	records.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "patients": []media.PatientID{it.Patient}}).into(t, &hold)
	h.keep()
	later := h.file(nurse)
	h.keep()
	if !object(it.ID).LegalHold || !object(later.ID).LegalHold {
		t.Error("a hold is not one of the objects")
	}
	records.must("POST", "/holds/"+string(hold.ID)+"/release", http.StatusNoContent, body{"reason": "over"})
	h.keep()
	if object(it.ID).LegalHold || object(later.ID).LegalHold {
		t.Error("a released hold is still one of the objects")
	}
	// An erasure before its day destroys the key; the ciphertext has to wait.
	batch := h.approved("erasure", it.ID)
	if err := h.sys.KeepRecords(t.Context()); !errors.Is(err, blob.ErrLocked) {
		t.Errorf("erased: %v", err)
	}
	if b := h.batch(batch); b.State != retention.Running || b.Destroyed != 0 {
		t.Errorf("%+v", b)
	}
	if a := nurse.ask("GET", "/items/"+string(it.ID), nil); a.code() != "item-destroyed" {
		t.Errorf("it can be seen: %s", a.code())
	}
	if _, _, err := h.sys.Store.Rendition(t.Context(), it.ID, media.Original); !errors.Is(err, meta.ErrNotFound) {
		t.Errorf("its key is left: %v", err)
	}

	cfg := h.sys.Config
	cfg.Objects.Bucket = srv.NewBucket(t, true)
	if sys, err := config.Open(t.Context(), cfg); err == nil {
		_ = sys.Close()
		t.Error("a bucket without locks is taken for one with them")
	}
}
