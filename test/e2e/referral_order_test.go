package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/referral"
)

// Questions are sorted as whoever looks wants them, by the API and by the page,
// page after page and within a filter.
func TestQuestionsAreSorted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse, consultant := h.as("nurse"), h.as("consultant")
		nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": secondNumber, "name": "Other Patient", "date_of_birth": "1950-01-31"})
		one, two := h.file(nurse).ID, h.file(nurse, "patient_number", secondNumber).ID
		ask := func(item media.ItemID, question string) referral.ID {
			var r api.Referral
			nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []media.ItemID{item}, "audience": body{"kind": "person", "id": h.ids["consultant"]}, "question": question}).into(t, &r)
			return r.ID
		}
		// In the order in which they are asked: answered, opened, closed, not opened, not opened.
		answered, opened, closed, first, last := ask(one, "question one"), ask(two, "question two"), ask(one, "question three"), ask(one, "question four"), ask(two, "question five")
		consultant.must("GET", "/referrals/"+string(opened), http.StatusOK, nil)
		consultant.must("POST", "/referrals/"+string(closed)+"/messages", http.StatusNoContent, body{"kind": "close"})
		consultant.must("POST", "/referrals/"+string(answered)+"/messages", http.StatusNoContent, body{"kind": "answer", "text": "keep it dry"})
		list := func(query string) (out []referral.ID) {
			t.Helper()
			for after := ""; ; {
				var page struct {
					Referrals []api.Referral
					Next      string
				}
				consultant.must("GET", "/referrals?box=to-me"+query+after, http.StatusOK, nil).into(t, &page)
				for _, r := range page.Referrals {
					out = append(out, r.ID)
				}
				if page.Next == "" {
					return out
				}
				after = "&after=" + page.Next
			}
		}
		for _, limit := range []string{"", "&limit=1", "&limit=2"} {
			for query, want := range map[string][]referral.ID{
				"":                              {answered, closed, last, first, opened},
				"&order=latest":                 {answered, closed, last, first, opened},
				"&order=oldest":                 {opened, first, last, closed, answered},
				"&order=unopened":               {first, last, opened, closed, answered},
				"&order=patient":                {answered, closed, first, last, opened},
				"&order=unopened&state=waiting": {first, last, opened},
			} {
				if got := list(query + limit); !slices.Equal(got, want) {
					t.Errorf("%s%s: %v, want %v", query, limit, got, want)
				}
			}
		}
		if a := consultant.ask("GET", "/referrals?box=to-me&order=name", nil); a.status != http.StatusUnprocessableEntity {
			t.Errorf("an order that is not known: %d", a.status)
		}

		shown := func(path string) (out []string) {
			t.Helper()
			page := consultant.page(path, http.StatusOK)
			for _, m := range regexp.MustCompile(`question (one|two|three|four|five)<`).FindAllStringSubmatch(page, -1) {
				out = append(out, m[1])
			}
			return out
		}
		if got := shown("/inbox?box=to-me&order=unopened&state=waiting"); !slices.Equal(got, []string{"four", "five", "two"}) {
			t.Errorf("the page: %v", got)
		}
		page := consultant.page("/inbox?order=unopened&state=waiting", http.StatusOK)
		says(t, page, `<option value="unopened" selected>Not opened first</option>`, `<option value="waiting" selected>`, `<label class="nhsuk-label nhsuk-label--s" for="order">Sort</label>`, `href="/inbox?box=mine&amp;order=unopened"`)
		for range 50 { // so that there is a second page
			ask(two, "another")
		}
		page = consultant.page("/inbox?box=to-me&order=oldest&state=waiting", http.StatusOK)
		next := regexp.MustCompile(`href="(/inbox\?[^"]*after=[^"]*)" rel="next"`).FindStringSubmatch(page)
		if next == nil {
			t.Fatal("there is no second page")
		}
		at, err := url.Parse(strings.ReplaceAll(next[1], "&amp;", "&"))
		if err != nil || at.Query().Get("order") != "oldest" || at.Query().Get("state") != "waiting" || at.Query().Get("box") != "to-me" {
			t.Errorf("the second page is at %s", next[1])
		}
		says(t, consultant.page(at.RequestURI(), http.StatusOK), "another")
		says(t, consultant.page("/inbox?order=name", http.StatusUnprocessableEntity), "This filter is not right")
	})
}
