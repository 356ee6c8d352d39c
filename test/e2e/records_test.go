package e2e

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// kept is a house with a retention policy.
func kept(j retention.Jurisdiction, coolingOff time.Duration) func(*config.Config) {
	return func(c *config.Config) {
		c.Records = config.Records{Jurisdiction: string(j), Organisation: "Example Health Board", Backups: 35 * 24 * time.Hour, CoolingOff: coolingOff}
	}
}

func eachKept(t *testing.T, j retention.Jurisdiction, coolingOff time.Duration, test func(t *testing.T, h *house)) {
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := open(t, kind, kept(j, coolingOff))
			if err := h.guided(h.hire("records2", access.RecordsOfficer)); err != nil {
				t.Fatal(err)
			}
			test(t, h)
		})
	}
}

// keep does what goes on in the background.
func (h *house) keep() {
	h.t.Helper()
	if err := h.sys.KeepRecords(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// csv sends a file of patient events.
func (p *person) csv(text string) answer {
	p.h.t.Helper()
	return p.send("POST", "/api/v1/patient-events", strings.NewReader(text), "Content-Type", "text/csv")
}

// file files a picture for the test patient and gives its item.
func (h *house) file(p *person, change ...string) api.Item {
	h.t.Helper()
	d := h.details()
	d["allow_repeat"] = "true"
	for i := 0; i < len(change); i += 2 {
		d[change[i]] = change[i+1]
	}
	a := p.upload(phone(h.t), d)
	if a.status != http.StatusCreated {
		h.t.Fatalf("file: %d %s", a.status, a.body)
	}
	var f api.Filing
	a.into(h.t, &f)
	return f.Item
}

func (p *person) record(id media.PatientID) api.Record {
	p.h.t.Helper()
	var r api.Record
	p.must("GET", "/records/"+string(id), http.StatusOK, nil).into(p.h.t, &r)
	return r
}

func (p *person) due() (out []api.DueItem) {
	p.h.t.Helper()
	var page struct{ Items []api.DueItem }
	p.must("GET", "/due", http.StatusOK, nil).into(p.h.t, &page)
	return page.Items
}

func (p *person) stepUp() {
	p.h.t.Helper()
	p.must("POST", "/session/step-up", http.StatusOK, body{"password": password})
}

// Each item says why its date is what it is; dates follow what happens to the
// patient, restart when the record comes back into use, and come back when
// what was recorded in error is cancelled.
func TestDatesFollowTheRecord(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.England, time.Hour, func(t *testing.T, h *house) {
		records, nurse := h.as("records"), h.as("nurse")
		it := h.file(nurse)
		h.keep()
		why := func(want string) api.ItemDue {
			t.Helper()
			r := records.record(it.Patient)
			if len(r.Items) != 1 || !strings.Contains(r.Items[0].Why.String(), want) {
				t.Fatalf("%+v does not say %q", r.Items, want)
			}
			return r.Items[0]
		}
		first := why("8 years after the last entry on " + time.Now().UTC().Format("2 January 2006"))
		if first.Verified || first.Class != retention.Adult || first.ReviewOn <= first.Until {
			t.Errorf("%+v: not verified, adult, and reviewed from the next month", first)
		}
		if a := records.ask("POST", "/records/"+string(it.Patient)+"/events", body{"event": "died", "on": "2999-01-01"}); a.code() != "day-future" {
			t.Errorf("a day to come: %s", a.code())
		}
		records.must("POST", "/records/"+string(it.Patient)+"/events", http.StatusNoContent, body{"event": "died", "on": "2010-02-03", "note": "from the registrar"})
		records.must("POST", "/classes", http.StatusNoContent, body{"patient": it.Patient, "class": "mental-health"})
		h.keep()
		gone := why("10 years after the death on 3 February 2010")
		if gone.ReviewOn != "2020-03-01" {
			t.Errorf("to be reviewed from %s", gone.ReviewOn)
		}
		if due := records.due(); len(due) != 1 || due[0].Item != it.ID || due[0].BodySite != "left heel" {
			t.Errorf("due: %+v", due)
		}
		r := records.record(it.Patient)
		if len(r.Events) != 1 || r.Events[0].Note != "from the registrar" || r.Class != retention.MentalHealth {
			t.Errorf("the record: %+v", r)
		}
		records.must("POST", "/records/"+string(it.Patient)+"/events/"+string(r.Events[0].ID)+"/cancel", http.StatusNoContent, nil)
		records.must("POST", "/classes", http.StatusNoContent, body{"patient": it.Patient, "class": ""})
		h.keep()
		why("8 years after the last entry")
		if due := records.due(); len(due) != 0 {
			t.Errorf("still due: %+v", due)
		}
		// The rule is confirmed, once and for all until its figures change.
		var s api.Schedule
		records.must("GET", "/schedule", http.StatusOK, nil).into(t, &s)
		for _, rule := range s.Rules {
			if rule.Class == retention.Adult {
				records.must("POST", "/schedule/confirm", http.StatusNoContent, body{"class": "adult", "rule": rule.Hash})
			}
		}
		if !why("8 years").Verified {
			t.Error("a confirmed rule is not verified")
		}
	})
}

// Patient events come from a file too: what is right is recorded, and what is
// not is told line by line.
func TestPatientEventsFromAFile(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		records := h.as("records")
		var out struct {
			Recorded int
			Refused  []struct {
				Line int
				Code string
			}
		}
		const good = "nhs,999 000 0018,1950-01-31,discharged,2024-05-06,\"ward 4, home\"\n"
		a := records.csv("\ufeffpatient_number_kind,patient_number,date_of_birth,event,on,note\n" + good +
			"nhs,9990000018,1950-01-30,died,2024-05-06,\n" + "nhs,9990000018,1950-01-31,vanished,2024-05-06,\n" + "nhs,9990000018\n" + good)
		a.into(t, &out)
		if out.Recorded != 2 || len(out.Refused) != 3 || out.Refused[0].Line != 3 || out.Refused[0].Code != "date-of-birth-mismatch" ||
			out.Refused[1].Code != "event-unknown" || out.Refused[2].Line != 5 || out.Refused[2].Code != "csv-line" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := records.csv("number,what\n"); a.code() != "csv-header" {
			t.Errorf("another header: %s", a.code())
		}
		if a := h.as("nurse").csv("x"); a.status != http.StatusUnprocessableEntity && a.status != http.StatusForbidden {
			t.Errorf("a nurse: %d", a.status)
		}
	})
}

// A picture filed to the wrong patient goes to the right one and back; two
// numbers of one person become one patient, whom both find.
func TestCorrections(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.Scotland, time.Hour, func(t *testing.T, h *house) {
		records, nurse := h.as("records"), h.as("nurse")
		nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Other Patient", "date_of_birth": "1950-01-31"})
		it := h.file(nurse)
		right := body{"patient_number_kind": "nhs", "patient_number": "9990000026", "date_of_birth": "1950-01-31", "reason": "two wristbands were mixed up"}
		records.must("POST", "/items/"+string(it.ID)+"/move", http.StatusNoContent, right)
		var detail api.ItemDetail
		nurse.must("GET", "/items/"+string(it.ID), http.StatusOK, nil).into(t, &detail)
		moved := detail.Patient
		if moved.ID == it.Patient {
			t.Fatal("it is still the wrong patient's")
		}
		if a := records.ask("POST", "/items/"+string(it.ID)+"/move", right); a.code() != "same-patient" {
			t.Errorf("to where it is: %s", a.code())
		}
		var to struct{ Patient media.PatientID }
		records.must("POST", "/records/"+string(it.Patient)+"/merge", http.StatusOK, right).into(t, &to)
		found := records.must("POST", "/records/find", http.StatusOK, body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"})
		var who struct{ Patient media.PatientID }
		if found.into(t, &who); who.Patient != to.Patient || to.Patient != moved.ID {
			t.Errorf("the first number finds %s, and not %s", who.Patient, to.Patient)
		}
		if again := h.file(nurse); again.Patient != to.Patient {
			t.Error("what is filed under the first number goes elsewhere")
		}
		h.keep()
		if r := records.record(to.Patient); len(r.Items) != 2 || r.Items[0].Why == "" {
			t.Errorf("the record: %+v", r)
		}
	})
}

// Holds are on what is there and on what comes later, by every criterion; what
// cannot be told counts as held.
func TestHolds(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.England, time.Hour, func(t *testing.T, h *house) {
		records, nurse := h.as("records"), h.as("nurse")
		heel := h.file(nurse)
		own := h.file(nurse, "body_site", "where the dog bit")
		today, yesterday := time.Now().UTC().Format(time.DateOnly), time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
		var other struct{ ID access.TeamID }
		h.as("admin").must("POST", "/teams", http.StatusCreated, body{"name": "Burns"}).into(t, &other)
		held := func() map[media.ItemID]bool {
			out := map[media.ItemID]bool{}
			for _, i := range records.record(heel.Patient).Items {
				out[i.Item] = i.Held
			}
			return out
		}
		for name, c := range map[string]struct {
			criteria  body
			heel, own bool
		}{
			"team":        {body{"teams": []access.TeamID{h.team}}, true, true},
			"other team":  {body{"teams": []access.TeamID{other.ID}}, false, false},
			"patient":     {body{"patients": []media.PatientID{heel.Patient}}, true, true},
			"filed today": {body{"from": today}, true, true},
			"heel":        {body{"body_site": "heel"}, true, true},
			"knee":        {body{"body_site": "knee"}, false, true}, // of the second nobody can tell
			"both":        {body{"body_site": "heel", "teams": []access.TeamID{other.ID}}, false, false},
			"long ago":    {body{"until": "2009-12-31"}, false, false},
			"everything":  {body{"everything": true}, true, true},
		} {
			ask := body{"reason": "Inquiry into wound care", "authority": "Example Inquiry 7/26"}
			for k, v := range c.criteria {
				ask[k] = v
			}
			var placed struct{ ID retention.HoldID }
			records.must("POST", "/holds", http.StatusCreated, ask).into(t, &placed)
			if got := held(); got[heel.ID] != c.heel || got[own.ID] != c.own {
				t.Errorf("%s: %v", name, got)
			}
			var match struct{ Items int }
			records.must("POST", "/holds/match", http.StatusOK, ask).into(t, &match)
			want := 0
			for _, on := range []bool{c.heel, c.own} {
				if on {
					want++
				}
			}
			if match.Items != want {
				t.Errorf("%s: it would be on %d", name, match.Items)
			}
			records.must("POST", "/holds/"+string(placed.ID)+"/release", http.StatusNoContent, body{"reason": "over"})
		}
		if got := held(); got[heel.ID] || got[own.ID] {
			t.Errorf("after the last release: %v", got)
		}
		for code, ask := range map[string]body{
			"criteria-missing": {"reason": "x", "authority": "y"}, "days-turned": {"reason": "x", "authority": "y", "from": today, "until": yesterday},
			"site-unknown": {"reason": "x", "authority": "y", "body_site": "soul"}, "authority-missing": {"reason": "x", "everything": true},
		} {
			if a := records.ask("POST", "/holds", ask); a.code() != code {
				t.Errorf("%v: %s", ask, a.code())
			}
		}
		records.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "teams": []access.TeamID{h.team}})
		later := h.file(nurse)
		if !held()[later.ID] {
			t.Error("what is filed later is not held")
		}
		var list struct{ Holds []api.Hold }
		records.must("GET", "/holds", http.StatusOK, nil).into(t, &list)
		if len(list.Holds) != 10 || list.Holds[0].ReleasedAt != nil || list.Holds[0].Items != 3 || list.Holds[1].ReleasedAt == nil {
			t.Errorf("the list: %+v", list.Holds)
		}
	})
}

// Nothing gets out from under a hold by being put right: a merge takes the
// hold along, and a move that would leave one behind is refused.
func TestCorrectionsKeepHolds(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.Scotland, 0, func(t *testing.T, h *house) {
		records, nurse := h.as("records"), h.as("nurse")
		nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Other Patient", "date_of_birth": "1950-01-31"})
		it := h.file(nurse)
		to := body{"patient_number_kind": "nhs", "patient_number": "9990000026", "date_of_birth": "1950-01-31", "reason": "the same person"}
		hold := func(criteria body) string {
			ask := body{"reason": "x", "authority": "y"}
			for k, v := range criteria {
				ask[k] = v
			}
			var placed struct{ ID string }
			records.must("POST", "/holds", http.StatusCreated, ask).into(t, &placed)
			return placed.ID
		}
		hold(body{"teams": []access.TeamID{h.team}}) // on the item wherever it goes
		id := hold(body{"patients": []media.PatientID{it.Patient}})
		if a := records.ask("POST", "/items/"+string(it.ID)+"/move", to); a.code() != "item-held" {
			t.Errorf("a move out from under a hold: %d %s", a.status, a.code())
		}
		if r := records.record(it.Patient); len(r.Items) != 1 {
			t.Errorf("it was moved all the same: %+v", r.Items)
		}
		var merged struct{ Patient media.PatientID }
		records.must("POST", "/records/"+string(it.Patient)+"/merge", http.StatusOK, to).into(t, &merged)
		var list struct{ Holds []api.Hold }
		records.must("GET", "/holds", http.StatusOK, nil).into(t, &list)
		for _, l := range list.Holds {
			if string(l.ID) == id && l.Items != 1 {
				t.Errorf("the hold is on %d items after the merge", l.Items)
			}
		}
		if a := records.ask("POST", "/disposals", body{"ground": "erasure", "items": []media.ItemID{it.ID}, "reason": "x"}); a.code() != "not-eligible" {
			t.Errorf("proposed: %s", a.code())
		}
	})
}

// dead makes everything of the test patient due.
func (h *house) dead(id media.PatientID) {
	h.t.Helper()
	h.as("records").must("POST", "/records/"+string(id)+"/events", http.StatusNoContent, body{"event": "died", "on": "2010-02-03"})
	h.keep()
}

// The whole way of an end: two people, proof, a time to undo it, holds at each
// step, nothing left, and a certificate that stands by itself.
func TestDisposal(t *testing.T) {
	t.Parallel()
	const coolingOff = 4 * time.Second
	eachKept(t, retention.Scotland, coolingOff, func(t *testing.T, h *house) {
		nurse, one, two := h.as("nurse"), h.as("records"), h.as("records2")
		var items []media.ItemID
		var patient media.PatientID
		for range 3 {
			it := h.file(nurse)
			items, patient = append(items, it.ID), it.Patient
		}
		var asked struct{ ID string }
		nurse.must("POST", "/referrals", http.StatusCreated, body{"items": items[:1], "audience": body{"kind": "person", "id": h.ids["consultant"]}, "question": "Is this infected?"}).into(t, &asked)
		propose := body{"ground": "retention", "items": items, "reason": "three years after the death"}
		if a := one.ask("POST", "/disposals", propose); a.code() != "not-eligible" {
			t.Fatalf("before their time: %s", a.code())
		}
		h.dead(patient)
		var hold struct{ ID retention.HoldID }
		one.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "patients": []media.PatientID{patient}}).into(t, &hold)
		if a := one.ask("POST", "/disposals", propose); a.code() != "not-eligible" {
			t.Fatalf("under a hold: %s", a.code())
		}
		one.must("POST", "/holds/"+string(hold.ID)+"/release", http.StatusNoContent, body{"reason": "over"})

		batch := h.proposed(one, propose)
		if a := one.ask("POST", "/disposals", propose); a.code() != "not-eligible" {
			t.Errorf("twice: %s", a.code())
		}
		if a := one.ask("POST", "/disposals/"+batch+"/approve", body{}); a.code() != "second-person" {
			t.Errorf("by oneself: %s", a.code())
		}
		if a := two.ask("POST", "/disposals/"+batch+"/approve", body{}); a.code() != "step-up-needed" {
			t.Errorf("without proof: %s", a.code())
		}
		two.stepUp()
		two.must("POST", "/disposals/"+batch+"/approve", http.StatusNoContent, body{"reason": "agreed"})
		one.must("POST", "/disposals/"+batch+"/undo", http.StatusNoContent, body{"reason": "the family has asked for a copy"})
		time.Sleep(coolingOff)
		h.keep()
		nurse.must("GET", "/items/"+string(items[0]), http.StatusOK, nil)

		batch = h.proposed(one, propose)
		two.must("POST", "/disposals/"+batch+"/approve", http.StatusNoContent, body{})
		h.keep()
		nurse.must("GET", "/items/"+string(items[0])+"/renditions/original-clean", http.StatusOK, nil) // it can still be undone
		time.Sleep(coolingOff)
		h.keep()

		for _, id := range items {
			for _, path := range []string{"", "/renditions/original-clean", "/receipt", "/annotations"} {
				if a := nurse.ask("GET", "/items/"+string(id)+path, nil); a.status != http.StatusGone || a.code() != "item-destroyed" {
					t.Errorf("%s: %d %s", path, a.status, a.code())
				}
			}
		}
		h.nothingLeft(items)
		if a := one.ask("POST", "/disposals/"+batch+"/undo", body{"reason": "too late"}); a.code() != "too-late" {
			t.Errorf("undone afterwards: %s", a.code())
		}
		if a := one.ask("POST", "/records/find", body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"}); a.code() != "patient-unknown" {
			t.Errorf("the patient: %s", a.code())
		}
		if a := nurse.ask("GET", "/referrals/"+asked.ID, nil); a.status != http.StatusOK || strings.Contains(string(a.body), "infected") {
			t.Errorf("the question: %d %s", a.status, a.body)
		}
		h.certified(one, batch, 3)
		var log struct{ Disposals []api.Batch }
		h.as("auditor").must("GET", "/disposals", http.StatusOK, nil).into(t, &log)
		if len(log.Disposals) != 2 || log.Disposals[0].State != retention.Destroyed || log.Disposals[0].Destroyed != 3 || log.Disposals[1].State != retention.Undone {
			t.Errorf("the log: %+v", log.Disposals)
		}
		// The same picture and the same patient may be filed anew.
		nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000018", "name": "Test Patient", "date_of_birth": "1950-01-31"})
		h.file(nurse)
	})
}

func (h *house) proposed(p *person, propose body) string {
	h.t.Helper()
	var out struct{ ID string }
	p.must("POST", "/disposals", http.StatusCreated, propose).into(h.t, &out)
	return out.ID
}

// nothingLeft looks for what should be gone where it was kept.
func (h *house) nothingLeft(items []media.ItemID) {
	h.t.Helper()
	err := h.sys.Objects.List(h.t.Context(), "items/", func(i blob.Info) error {
		for _, id := range items {
			if strings.Contains(string(i.Key), string(id)) {
				h.t.Errorf("an object is left: %s", i.Key)
			}
		}
		return nil
	})
	if err != nil {
		h.t.Error(err)
	}
	for _, id := range items {
		if _, _, err := h.sys.Store.Rendition(h.t.Context(), id, media.Original); !errors.Is(err, meta.ErrNotFound) {
			h.t.Errorf("a key is left: %v", err)
		}
	}
}

// certified checks the certificate of a batch as somebody outside would.
func (h *house) certified(p *person, batch string, items int) disposal.Certificate {
	h.t.Helper()
	signed := p.must("GET", "/disposals/"+batch+"/certificate", http.StatusOK, nil).body
	c, err := disposal.VerifyCertificate(h.signer(), signed)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(c.Destroyed) != items || c.Proposed.Name != "Example records" || c.Approved.Name != "Example records2" || c.Organisation != "Example Health Board" {
		h.t.Errorf("the certificate: %+v", c)
	}
	for _, l := range c.Destroyed {
		if len(l.PlainSHA256) != 64 || len(l.ObjectSHA256) != 64 || l.Patient == "" || l.KeysGoneAt.IsZero() {
			h.t.Errorf("a line: %+v", l)
		}
	}
	if text := string(signed); strings.Contains(text, "9990000018") || strings.Contains(text, "Test Patient") || strings.Contains(text, "1950-01-31") {
		h.t.Error("the certificate names the patient")
	}
	for i := range signed {
		if i%97 != 0 {
			continue
		}
		bad := append([]byte(nil), signed...)
		bad[i] ^= 1
		if _, err := disposal.VerifyCertificate(h.signer(), bad); err == nil && !json.Valid(bad) {
			h.t.Errorf("a changed certificate passes (byte %d)", i)
		}
	}
	if pdf := p.must("GET", "/disposals/"+batch+"/certificate.pdf", http.StatusOK, nil); !strings.HasPrefix(string(pdf.body), "%PDF-") {
		h.t.Error("the printed certificate is no PDF")
	} else if dir := os.Getenv("WARDSEAL_SHOTS"); dir != "" {
		_ = os.WriteFile(dir+"/certificate.pdf", pdf.body, 0o600)
	}
	var match struct{ Items int }
	p.must("POST", "/disposals/"+batch+"/match", http.StatusOK, body{"patient_number_kind": "nhs", "patient_number": "9990000018"}).into(h.t, &match)
	if match.Items != items {
		h.t.Errorf("%d items of the patient", match.Items)
	}
	p.must("POST", "/disposals/"+batch+"/match", http.StatusOK, body{"patient_number_kind": "nhs", "patient_number": "9990000026"}).into(h.t, &match)
	if match.Items != 0 {
		h.t.Errorf("%d items of somebody else", match.Items)
	}
	return c
}

// signer is the public half of the key that signs.
func (h *house) signer() ed25519.PublicKey {
	h.t.Helper()
	keys, err := h.sys.Store.SealedKeys(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, k := range keys {
		if k.Purpose == keyring.PurposeManifest {
			return k.Public
		}
	}
	h.t.Fatal("there is no signing key")
	return nil
}
