package api

import (
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// problemOf is what a page says of an error, in words for people who fill in
// forms and not requests.
func problemOf(err error) *ui.Problem {
	e := fault.From(err)
	p := &ui.Problem{Code: e.Code, Text: e.Message, Field: e.Field}
	if text, ok := forPeople[e.Code]; ok {
		p.Text = text
	}
	if _, ok := formFields[p.Field]; !ok {
		p.Field = ""
	}
	return p
}

var forPeople = map[string]words.Text{
	"captured-at-form":         "Enter when the picture was taken as a date and a time, or leave it out.",
	"date-of-birth-form":       "Enter the date of birth as day, month and year, for example 27 3 1984.",
	"patient-number-kind":      "Choose NHS number or CHI number.",
	"consent-missing":          "Choose what the patient agreed to. Without consent nothing is filed.",
	"idempotency-key-reused":   "This form has filed a picture already, and something in it was changed since. Look under Pictures; to send another, start a new form.",
	"consent-given-by-unknown": "Choose who gave the consent.",
	"filter-wrong":             "This filter is not right. Choose from the list.",
	"day-form":                 "Enter the day as day, month and year, for example 27 3 2026.",
	"until-form":               "Enter the day on which these come back for review, after today, for example 27 3 2031.",
	"event-unknown":            "Choose what happened.",
}

// formFields are the fields that an error message can stand beside.
var formFields = map[string]bool{
	"patient_number_kind": true, "patient_number": true, "date_of_birth": true, "sex": true, "name": true, "team": true, "case": true, "consent": true,
	"body_site": true, "note": true, "captured_at": true, "sound": true, "file": true, "consent_given_by": true, "consent_detail": true, "audience": true, "purpose": true, "ttl_seconds": true, "uses": true,
	"username": true, "password": true, "code": true, "to": true, "question": true, "text": true, "kind": true, "reason": true, "outcome": true, "email": true, "finding": true, "item": true, "present_password": true, "role": true, "title": true, "person": true,
	"cause": true, "from": true, "aware": true, "aware_reason": true, "contain": true, "contain_reason": true, "decision": true, "decision_reason": true, "decision_at": true,
	"people": true, "people_reason": true, "people_at": true, "lessons": true, "session": true, "link": true, "patient": true, "nature": true, "records": true, "contact": true, "consequences": true, "measures": true,
	"event": true, "on": true, "class": true, "until": true, "authority": true, "criteria": true, "ground": true, "end_reason": true, "approved_reason": true, "refused_reason": true, "undone_reason": true, "scopes": true,
	"receiver": true, "recipient": true, "confirmed_by": true, "reference": true,
}

// log writes down what a page does not tell, and gives the status.
func logged500(c *gin.Context, err error) int {
	e := fault.From(err)
	noteGuess(c, err)
	if e.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	status := statuses[e.Kind]
	if status >= 500 && !clientGone(c, err) {
		slog.ErrorContext(c.Request.Context(), "request failed", "request", requestID(c), "route", c.FullPath(), "code", e.Code, "error", err)
	}
	return status
}

// byScript reports whether the page's own script asks, which wants problems as
// the API gives them.
func byScript(c *gin.Context) bool {
	return strings.HasPrefix(c.GetHeader("Accept"), "application/json")
}

// failPage answers with a page that says what went wrong; who is not signed
// in goes to sign in first.
func failPage(c *gin.Context, err error) {
	if byScript(c) {
		fail(c, err)
		return
	}
	if fault.Is(err, fault.Unauthenticated) {
		to := url.Values{}
		if c.Request.Method == http.MethodGet {
			to.Set("next", c.Request.URL.RequestURI())
		} else if back, err := url.Parse(c.GetHeader("Referer")); err == nil {
			to.Set("next", back.RequestURI())
		}
		if _, err := c.Cookie(cookieName); err == nil || c.Request.Method != http.MethodGet {
			to.Set("why", "ended")
		}
		c.Redirect(http.StatusSeeOther, "/sign-in?"+to.Encode())
		c.Abort()
		return
	}
	if fault.From(err).Code == codeStepUp {
		toStepUp(c)
		return
	}
	status := logged500(c, err)
	title := words.Text("Something went wrong")
	switch status {
	case http.StatusNotFound:
		title = "Nothing to see here"
	case http.StatusForbidden:
		title = "You may not do this"
	case http.StatusTooManyRequests:
		title = "One moment"
	case http.StatusGone:
		title = "This has ended"
	}
	render(c, status, "failed", ui.Page{Title: title, Data: map[string]any{"Text": problemOf(err).Text, "Request": requestID(c)}})
	c.Abort()
}
