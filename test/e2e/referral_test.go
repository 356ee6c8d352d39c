package e2e

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
)

// question asks a person about an item, as the nurse.
func (h *house) question(item, to, text string) api.Referral {
	h.t.Helper()
	var r api.Referral
	h.as("nurse").must("POST", "/referrals", http.StatusCreated, body{"items": []string{item}, "audience": body{"kind": "person", "id": h.ids[to]}, "question": text}).into(h.t, &r)
	return r
}

// A question opens the picture to whom it asks, and to nobody else, until it is
// closed; the thread carries answers, and tells who is to move.
func TestQuestionAndAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		item := h.filed()
		picture := "/items/" + item + "/renditions/original-clean"
		nurse, consultant, outsider := h.as("nurse"), h.as("consultant"), h.as("outsider")
		consultant.must("GET", picture, http.StatusNotFound, nil)

		q := h.question(item, "consultant", "Is the secret-phrase infected?")
		if q.State != "waiting" || q.SeenAt != nil || len(q.Patient.Name) == 0 {
			t.Errorf("asked: %+v", q)
		}
		at := "/referrals/" + string(q.ID)
		var box struct{ Referrals []api.Referral }
		consultant.must("GET", "/referrals?box=to-me&state=waiting", http.StatusOK, nil).into(t, &box)
		if len(box.Referrals) != 1 || box.Referrals[0].ReadAt != nil {
			t.Fatalf("the consultant's box: %+v", box)
		}
		consultant.must("GET", picture, http.StatusOK, nil)
		outsider.must("GET", picture, http.StatusNotFound, nil)
		outsider.must("GET", at, http.StatusNotFound, nil)
		outsider.must("POST", at+"/messages", http.StatusNotFound, body{"kind": "answer", "text": "x"})

		var read api.Referral
		consultant.must("GET", at, http.StatusOK, nil).into(t, &read)
		if read.Question != "Is the secret-phrase infected?" || len(read.Items) != 1 || string(read.Items[0].ID) != item {
			t.Errorf("read: %+v", read)
		}
		nurse.must("GET", at, http.StatusOK, nil).into(t, &read)
		if read.SeenAt == nil {
			t.Error("the nurse cannot see that it was opened")
		}
		var seen struct{ Seen []api.Sighting }
		nurse.must("GET", "/items/"+item+"/seen", http.StatusOK, nil).into(t, &seen)
		if len(seen.Seen) != 1 || seen.Seen[0].Person != h.ids["consultant"] {
			t.Errorf("seen by: %+v", seen)
		}

		if a := nurse.ask("POST", at+"/messages", body{"kind": "answer", "text": "mine"}); a.status != http.StatusConflict || a.code() != "referral-turn" {
			t.Errorf("who asked answers: %d %s", a.status, a.code())
		}
		consultant.must("POST", at+"/messages", http.StatusNoContent, body{"kind": "more", "text": "From the side, please"})
		var second api.Filing
		nurse.upload(append(phone(t), "second"...), h.details()).into(t, &second)
		if a := consultant.ask("GET", "/items/"+string(second.Item.ID), nil); a.status != http.StatusNotFound {
			t.Errorf("a picture that nobody asked about: %d", a.status)
		}
		nurse.must("POST", at+"/messages", http.StatusNoContent, body{"kind": "items", "items": []any{second.Item.ID}})
		consultant.must("GET", "/items/"+string(second.Item.ID)+"/renditions/original-clean", http.StatusOK, nil)
		consultant.must("POST", at+"/messages", http.StatusNoContent, body{"kind": "answer", "text": "It is not."})

		h.as("colleague").must("GET", at, http.StatusOK, nil).into(t, &read)
		if kinds := read.Messages; len(kinds) != 3 || kinds[0].Kind != "more" || kinds[1].Kind != "items" || kinds[2].Text != "It is not." || read.State != "answered" {
			t.Errorf("the thread: %+v", read)
		}

		nurse.must("POST", at+"/messages", http.StatusNoContent, body{"kind": "close"})
		consultant.must("GET", picture, http.StatusNotFound, nil)
		consultant.must("GET", at, http.StatusOK, nil)
		if a := consultant.ask("POST", at+"/messages", body{"kind": "reopen"}); a.status != http.StatusConflict {
			t.Errorf("whom it asked opens it again: %d", a.status)
		}
		nurse.must("POST", at+"/messages", http.StatusNoContent, body{"kind": "reopen"})
		consultant.must("GET", picture, http.StatusOK, nil)

		for _, kind := range []audit.Type{audit.ReferralMade, audit.ReferralRead, audit.ReferralWritten, audit.ReferralsListed} {
			if events, err := h.sys.Store.Events(t.Context(), meta.EventFilter{Type: kind, Limit: 1}); err != nil || len(events) != 1 {
				t.Errorf("no event %s: %v", kind, err)
			}
		}
	})
}

// What is written is sealed at rest.
func TestThreadsAreSealed(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	q := h.question(h.filed(), "consultant", "asks-a-secret-thing")
	h.as("consultant").must("POST", "/referrals/"+string(q.ID)+"/messages", http.StatusNoContent, body{"kind": "answer", "text": "answers-a-secret-thing"})
	err := filepath.WalkDir(h.data, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("secret-thing")) {
			t.Errorf("%s holds what was written", e.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A question must be about pictures of one patient, of one's own team, and be
// addressed to somebody.
func TestQuestionsThatAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.as("nurse")
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Other Patient", "date_of_birth": "1960-02-01"})
	item := h.filed()
	var other api.Filing
	details := h.details()
	details["patient_number"], details["date_of_birth"] = "9990000026", "1960-02-01"
	nurse.upload(append(phone(t), "other"...), details).into(t, &other)
	someone := body{"kind": "role", "id": "consultant"}
	for name, c := range map[string]struct {
		in   body
		want string
	}{
		"two patients":      {body{"items": []any{item, other.Item.ID}, "audience": someone, "question": "x"}, "items-mixed"},
		"no pictures":       {body{"items": []any{}, "audience": someone, "question": "x"}, "items"},
		"no question":       {body{"items": []any{item}, "audience": someone, "question": "  "}, "question-missing"},
		"a long question":   {body{"items": []any{item}, "audience": someone, "question": strings.Repeat("x", 4001)}, "question-long"},
		"to nobody":         {body{"items": []any{item}, "audience": body{"kind": "person", "id": item}, "question": "x"}, "audience"},
		"to administrators": {body{"items": []any{item}, "audience": body{"kind": "role", "id": "administrator"}, "question": "x"}, "audience"},
	} {
		if a := nurse.ask("POST", "/referrals", c.in); a.status != http.StatusUnprocessableEntity || a.code() != c.want {
			t.Errorf("%s: %d %s", name, a.status, a.code())
		}
	}
	q := h.question(item, "consultant", "x")
	if a := nurse.ask("POST", "/referrals/"+string(q.ID)+"/messages", body{"kind": "items", "items": []any{other.Item.ID}}); a.code() != "items-mixed" {
		t.Errorf("another patient's picture is added: %d %s", a.status, a.code())
	}
	if a := nurse.ask("POST", "/referrals/"+string(q.ID)+"/messages", body{"kind": "shout", "text": "x"}); a.status != http.StatusConflict {
		t.Errorf("an unknown kind: %d %s", a.status, a.code())
	}
	if a := nurse.ask("GET", "/referrals?box=all", nil); a.code() != "filter-wrong" {
		t.Errorf("an unknown box: %d %s", a.status, a.code())
	}
}

// The pages do the same, without script.
func TestQuestionPages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	has := func(a answer, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(string(a.body), w) {
				t.Errorf("%d: no %q", a.status, w)
			}
		}
	}
	nurse, consultant := h.as("nurse"), h.as("consultant")
	has(nurse.send("GET", "/inbox", nil), "No questions yet")
	has(consultant.send("GET", "/", nil), "Nobody is waiting for you")
	has(nurse.submit("/pictures/"+item+"/ask", url.Values{"question": {"Is it infected?"}}), "Whom do you ask?", "Say whom it is for", "Is it infected?")
	a := nurse.submit("/pictures/"+item+"/ask", url.Values{"to": {"person:" + string(h.ids["consultant"])}, "question": {"Is it infected?"}})
	has(a, "asked Example consultant", "Nobody who is asked has opened this")
	has(consultant.send("GET", "/", nil), `<span class="nhsuk-u-visually-hidden">, waiting: </span>1`, "Is it infected?", "New")
	var box struct{ Referrals []api.Referral }
	consultant.must("GET", "/referrals?box=to-me", http.StatusOK, nil).into(t, &box)
	at := "/referrals/" + string(box.Referrals[0].ID)
	has(consultant.send("GET", at, nil), "Your answer", "/pictures/"+item+"/thumbnail")
	has(consultant.send("GET", "/pictures/"+item, nil), "/renditions/original-clean")
	has(consultant.submit(at, url.Values{"kind": {"answer"}}), "Write a few words")
	has(consultant.submit(at, url.Values{"kind": {"more"}, "ready": {"Please send a sharper picture in better light."}}), "asked for another picture", "sharper picture")
	has(nurse.send("GET", "/inbox", nil), "Another picture wanted", "New")
	has(nurse.send("GET", "/pictures/"+item, nil), "Add it to a question about this patient?")
	has(nurse.submit("/pictures/"+item+"/ask", url.Values{"referral": {string(box.Referrals[0].ID)}, "question": {"Here it is"}}), "added pictures", "Here it is")
	for who, status := range map[string]int{"outsider": 404, "records": 403, "auditor": 403, "admin": 403, "colleague": 200} {
		if a := h.as(who).send("GET", at, nil); a.status != status {
			t.Errorf("%s reads the thread: %d", who, a.status)
		}
		if a := h.as(who).send("GET", "/inbox", nil); (a.status == 200) != (who == "outsider" || who == "colleague") {
			t.Errorf("%s at the inbox: %d", who, a.status)
		}
	}
	// Suspending whom it asks closes the door at once.
	h.as("admin").must("POST", "/people/"+string(h.ids["consultant"])+"/suspend", http.StatusNoContent, nil)
	if a := consultant.send("GET", "/api/v1/items/"+item, nil); a.status != http.StatusUnauthorized {
		t.Errorf("a suspended consultant: %d", a.status)
	}
}

// Several pictures of one patient are ticked and asked about together.
func TestAskAboutSeveral(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.as("nurse")
	var a, b api.Filing
	nurse.upload(append(phone(t), "a"...), h.details()).into(t, &a)
	nurse.upload(append(phone(t), "b"...), h.details()).into(t, &b)
	one, two := string(a.Item.ID), string(b.Item.ID)
	if page := nurse.send("GET", "/pictures", nil); strings.Contains(string(page.body), "Ask about the ticked") || strings.Contains(string(nurse.send("GET", "/send", nil).body), `type="checkbox" value="`+one) {
		t.Error("pictures of any patient can be ticked together")
	}
	page := nurse.send("GET", "/pictures?patient="+string(a.Item.Patient), nil)
	if !strings.Contains(string(page.body), `name="item" type="checkbox" value="`+one+`"`) || !strings.Contains(string(page.body), "Ask about the ticked pictures") {
		t.Error("nothing to tick")
	}
	if got := nurse.send("GET", "/ask", nil); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "tick them") {
		t.Errorf("nothing ticked: %d", got.status)
	}
	if got := nurse.send("GET", "/ask?item="+one+"&item="+two, nil); !strings.Contains(string(got.body), "Ask about 2 pictures") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := nurse.submit("/ask", url.Values{"item": {one, two}, "question": {"Which is worse?"}}); !strings.Contains(string(got.body), `id="to-error"`) || !strings.Contains(string(got.body), "Which is worse?") {
		t.Errorf("nobody to ask: %d", got.status)
	}
	got := nurse.submit("/ask", url.Values{"item": {one, two}, "to": {"person:" + string(h.ids["consultant"])}, "question": {"Which is worse?"}})
	if !strings.Contains(string(got.body), "2 pictures") {
		t.Errorf("asked: %d", got.status)
	}
	h.as("consultant").must("GET", "/items/"+two+"/renditions/original-clean", http.StatusOK, nil)
	if got := h.as("outsider").send("GET", "/ask?item="+one, nil); got.status != http.StatusNotFound {
		t.Errorf("an outsider asks: %d", got.status)
	}
}
