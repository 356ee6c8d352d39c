package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/meta"
)

// numbered is a patient of the test by number, and why.
func numbered(number, reason string) body {
	return body{"patient_number_kind": "nhs", "patient_number": number, "date_of_birth": "1950-01-31", "reason": reason}
}

const firstNumber, secondNumber, thirdNumber = "9990000018", "9990000026", "9990000034"

// merge makes one patient of two and gives the merge.
func (p *person) merge(from media.PatientID, number string) api.Merge {
	p.h.t.Helper()
	var to struct{ Patient media.PatientID }
	p.must("POST", "/records/"+string(from)+"/merge", http.StatusOK, numbered(number, "the registry says so")).into(p.h.t, &to)
	merges := p.record(to.Patient).Merges
	if len(merges) == 0 || merges[0].From != from || merges[0].To != to.Patient || merges[0].Reason != "the registry says so" {
		p.h.t.Fatalf("the record does not tell of the merge: %+v", merges)
	}
	return merges[0]
}

func (p *person) finds(number string) media.PatientID {
	p.h.t.Helper()
	var found struct{ Patient media.PatientID }
	p.must("POST", "/records/find", http.StatusOK, body{"patient_number_kind": "nhs", "patient_number": number, "date_of_birth": "1950-01-31"}).into(p.h.t, &found)
	return found.Patient
}

func itemsOf(r api.Record) map[media.ItemID]bool {
	out := map[media.ItemID]bool{}
	for _, i := range r.Items {
		out[i.Item] = true
	}
	return out
}

// Two people who were made one are taken apart in one step: what the merge
// moved goes back with its case, its question and its dates, what was filed
// since stays and is listed, and nothing gets out from under a hold.
func TestMergeIsUndone(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.Scotland, time.Hour, func(t *testing.T, h *house) {
		records, nurse := h.as("records"), h.as("nurse")
		nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": secondNumber, "name": "Other Patient", "date_of_birth": "1950-01-31"})
		nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": thirdNumber, "name": "Third Patient", "date_of_birth": "1950-01-31"})
		first, second := records.finds(firstNumber), records.finds(secondNumber)
		var opened struct{ ID string }
		nurse.must("POST", "/patients/"+string(first)+"/cases", http.StatusCreated, body{"title": "left heel ulcer", "team": h.team}).into(t, &opened)
		before, strayed := h.file(nurse, "case", opened.ID), h.file(nurse)
		own := h.file(nurse, "patient_number", secondNumber)
		var asked api.Referral
		nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []media.ItemID{before.ID}, "audience": body{"kind": "person", "id": h.ids["consultant"]}, "question": "Is this infected?"}).into(t, &asked)
		h.dead(first)
		var hold struct{ ID retention.HoldID }
		records.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "patients": []media.PatientID{second}}).into(t, &hold)

		m := records.merge(first, secondNumber)
		since := h.file(nurse, "case", opened.ID) // under the first number, into a case that came with the merge
		nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []media.ItemID{before.ID, since.ID}, "audience": body{"kind": "person", "id": h.ids["consultant"]}, "question": "Are these the same wound?"})
		records.must("POST", "/items/"+string(strayed.ID)+"/move", http.StatusConflict, numbered(thirdNumber, "another's")) // held
		records.must("POST", "/holds/"+string(hold.ID)+"/release", http.StatusNoContent, body{"reason": "over"})
		records.must("POST", "/items/"+string(strayed.ID)+"/move", http.StatusNoContent, numbered(thirdNumber, "another's"))
		records.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "patients": []media.PatientID{second}}).into(t, &hold)

		if a := h.as("auditor").ask("POST", "/merges/"+m.ID+"/undo", body{"reason": "x"}); a.status != http.StatusForbidden {
			t.Errorf("an auditor undoes: %d", a.status)
		}
		if a := records.ask("POST", "/merges/"+m.ID+"/undo", body{"reason": " "}); a.code() != "reason-missing" {
			t.Errorf("without a reason: %s", a.code())
		}
		var undone api.Merge
		records.must("POST", "/merges/"+m.ID+"/undo", http.StatusOK, body{"reason": "they are two people"}).into(t, &undone)
		if s := undone.Stays; undone.UndoneAt == nil || len(s.Items) != 1 || s.Items[0] != since.ID || s.Referrals != 1 || s.Mixed != 1 || s.Cases != 0 || s.Events != 0 {
			t.Errorf("what stays: %+v", undone)
		}
		h.keep()
		if f, s := records.finds(firstNumber), records.finds(secondNumber); f != first || s != second {
			t.Errorf("the numbers find %s and %s", f, s)
		}
		one, two := records.record(first), records.record(second)
		if got := itemsOf(one); len(got) != 1 || !got[before.ID] {
			t.Errorf("of the first: %v", got)
		}
		if got := itemsOf(two); len(got) != 2 || !got[own.ID] || !got[since.ID] {
			t.Errorf("of the second: %v", got)
		}
		if len(one.Events) != 1 || len(two.Events) != 0 {
			t.Errorf("%d and %d events", len(one.Events), len(two.Events))
		}
		if one.Items[0].ReviewOn != "2013-03-01" || two.Items[0].ReviewOn <= "2030" {
			t.Errorf("dates: %+v and %+v", one.Items[0], two.Items[0])
		}
		if !one.Items[0].Held || !two.Items[0].Held {
			t.Error("something got out from under the hold")
		}
		var cases struct{ Cases []api.Case }
		nurse.must("GET", "/patients/"+string(first)+"/cases", http.StatusOK, nil).into(t, &cases)
		var detail api.ItemDetail
		nurse.must("GET", "/items/"+string(since.ID), http.StatusOK, nil).into(t, &detail)
		if len(cases.Cases) != 1 || detail.Case != "" {
			t.Errorf("the case: %+v; of what stayed: %q", cases.Cases, detail.Case)
		}
		nurse.must("GET", "/items/"+string(before.ID), http.StatusOK, nil).into(t, &detail)
		if string(detail.Case) != opened.ID {
			t.Errorf("what went back is in the case %q", detail.Case)
		}
		var question struct{ Patient struct{ ID media.PatientID } }
		nurse.must("GET", "/referrals/"+string(asked.ID), http.StatusOK, nil).into(t, &question)
		if question.Patient.ID != first {
			t.Errorf("the question is of %s", question.Patient.ID)
		}
		newest, err := h.sys.Store.Events(t.Context(), meta.EventFilter{Types: []audit.Type{audit.MergeUndone}, Limit: 2})
		if err != nil || len(newest) != 1 || newest[0].Subject.Patient != string(second) || newest[0].Detail["from"] != string(first) || newest[0].Detail["items"] != "1" {
			t.Errorf("the audit: %+v %v", newest, err)
		}
		if a := records.ask("POST", "/merges/"+m.ID+"/undo", body{"reason": "again"}); a.code() != "merge-undone" {
			t.Errorf("again: %s", a.code())
		}
		if a := records.ask("POST", "/merges/"+opened.ID+"/undo", body{"reason": "x"}); a.code() != "not-found" {
			t.Errorf("no merge: %s", a.code())
		}
	})
}

// Of merges on top of each other the last is undone first, and what is about
// to be destroyed is decided before anything moves.
func TestMergesAreUndoneInOrder(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.Scotland, time.Hour, func(t *testing.T, h *house) {
		records, nurse := h.as("records"), h.as("nurse")
		for _, number := range []string{secondNumber, thirdNumber} {
			nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": number, "name": "Other Patient", "date_of_birth": "1950-01-31"})
		}
		first, second, third := records.finds(firstNumber), records.finds(secondNumber), records.finds(thirdNumber)
		it := h.file(nurse)
		below := records.merge(first, secondNumber)
		top := records.merge(second, thirdNumber)
		if records.finds(firstNumber) != third {
			t.Error("the first number does not find the third patient")
		}
		undo := func(m api.Merge) answer { return records.ask("POST", "/merges/"+m.ID+"/undo", body{"reason": "x"}) }
		if a := undo(below); a.code() != "merge-below" {
			t.Errorf("the lower one: %d %s", a.status, a.code())
		}
		var proposed struct{ ID string }
		records.must("POST", "/disposals", http.StatusCreated, body{"ground": "erasure", "items": []media.ItemID{it.ID}, "reason": "asked for"}).into(t, &proposed)
		if a := undo(top); a.code() != "merge-ending" {
			t.Errorf("while it is proposed for destruction: %d %s", a.status, a.code())
		}
		h.as("records2").must("POST", "/disposals/"+proposed.ID+"/refuse", http.StatusNoContent, body{"reason": "another patient's"})
		if a := undo(top); a.status != http.StatusOK {
			t.Errorf("the upper one: %d %s", a.status, a.code())
		}
		if f, s := records.finds(firstNumber), records.finds(secondNumber); f != second || s != second {
			t.Errorf("after the upper one: %s and %s", f, s)
		}
		if a := undo(below); a.status != http.StatusOK {
			t.Errorf("the lower one then: %d %s", a.status, a.code())
		}
		if got := itemsOf(records.record(first)); records.finds(firstNumber) != first || !got[it.ID] {
			t.Errorf("after both: %v", got)
		}
		if r := records.record(third); len(r.Items) != 0 || len(r.Merges) != 1 || r.Merges[0].UndoneAt == nil {
			t.Errorf("the third: %+v", r)
		}
	})
}

// The same by the pages.
func TestMergePages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.England, time.Hour))
	records, nurse := h.as("records"), h.as("nurse")
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": secondNumber, "name": "Other Patient", "date_of_birth": "1950-01-31"})
	it := h.file(nurse)
	m := records.merge(it.Patient, secondNumber)
	since := h.file(nurse, "body_site", "sacrum")
	page := "/records/" + string(m.To)
	says(t, records.page(page, http.StatusOK), "Merged into this record", "Test Patient", "the registry says so", "1 picture or video, 0 cases", "sacrum, filed", "Undo the merge")
	form := regexp.MustCompile(`action="(` + page + `/merges/[^"]+/undo)"`).FindStringSubmatch(records.page(page, http.StatusOK))
	if form == nil {
		t.Fatal("the merge cannot be undone")
	}
	says(t, records.does(form[1], url.Values{}, http.StatusUnprocessableEntity), `href="#reason-`+m.ID+`"`, `id="reason-`+m.ID+`"`)
	says(t, records.does(form[1], url.Values{"reason": {"they are two people"}}, http.StatusOK), "two patients again", "Was merged into this record", "they are two people", "Stayed here", "sacrum, filed")
	says(t, records.page("/records/"+string(it.Patient), http.StatusOK), "This record was merged into another", "left heel", "8 years after")
	says(t, records.does(form[1], url.Values{"reason": {"again"}}, http.StatusConflict), "was undone before")
	if got := itemsOf(records.record(m.To)); len(got) != 1 || !got[since.ID] {
		t.Errorf("of the second: %v", got)
	}
	if a := h.as("auditor").send("GET", page, nil); a.status != http.StatusOK || regexp.MustCompile(`/undo"`).Match(a.body) {
		t.Errorf("an auditor is offered the undoing: %d", a.status)
	}
}
