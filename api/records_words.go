package api

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// What the pages of the records team share.

// choice is an option of a list.
type choice struct {
	Value string
	Text  words.Text
}

var classWords = map[retention.Class]words.Text{
	retention.Adult: "Adult health record", retention.Child: "Child health record", retention.MentalHealth: "Mental health record", retention.Maternity: "Maternity record",
	retention.Cancer: "Cancer record", retention.GP: "GP record", retention.Teaching: "Copy for teaching", retention.Publication: "Copy for publication",
}

// byAgeWords are the classes that follow from the patient's age.
var byAgeWords = map[retention.Class]words.Text{retention.Adult: "adult", retention.Child: "child"}

// classesOf are the classes that a record or a team, or with copies an item,
// can have.
func classesOf(copies bool) (out []choice) {
	for _, c := range retention.Classes() {
		if copies || !c.Copy() {
			out = append(out, choice{string(c), classWords[c]})
		}
	}
	return out
}

var happenedWords = map[retention.EventKind]words.Text{
	retention.Discharged: "Discharged, or treatment ended", retention.Transferred: "Transferred to another organisation’s care",
	retention.InUse: "Record came back into use", retention.Died: "Died",
}

var sourceWords = map[string]words.Text{"page": "on a page", "csv": "from a file", "api": "by another system"}

var groundWords = map[retention.Ground]words.Text{
	retention.PeriodEnded:      "The retention period has ended",
	retention.ConsentWithdrawn: "The patient no longer agrees to it",
	retention.Erasure:          "Erasure was asked for (UK GDPR, Article 17)",
}

// may reports whether the role of who asks may do a.
func may(c *gin.Context, a access.Action) bool {
	return access.May(principal(c), a) == access.Allow
}

// dayIn gives the day that stands in three fields as YYYY-MM-DD, and "" when
// all three are empty. What cannot be read stays as it is: the flow refuses it.
func dayIn(typed map[string]string, field string) string {
	part := func(name string, digits int) string {
		s := strings.TrimSpace(typed[field+"_"+name])
		if len(s) > 0 && len(s) < digits {
			s = strings.Repeat("0", digits-len(s)) + s
		}
		return s
	}
	if day := part("year", 4) + "-" + part("month", 2) + "-" + part("day", 2); day != "--" {
		return day
	}
	return ""
}

// correctable reports whether an error is about what somebody typed or chose, which
// they can put right on the page that it is shown on.
func correctable(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict)
}

// went goes on after a change: to another page, to the same with what was
// wrong, or to a page that says so.
func went(c *gin.Context, err error, to string, again func(status int, p *ui.Problem)) {
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, to)
	case correctable(err):
		again(logged500(c, err), problemOf(err))
	default:
		failPage(c, err)
	}
}

// redate has a record's dates worked out before its page is shown again. When
// that fails the background does it.
func (s *Server) redate(c *gin.Context, id media.PatientID) {
	if err := s.Records.Redate(c.Request.Context(), id); err != nil {
		slog.WarnContext(c.Request.Context(), "dates are worked out later", "request", requestID(c), "error", err)
	}
}

// doneWords says what was done; the address carries only its name.
var doneWords = map[string]words.Text{
	"event": "That is recorded, and the dates follow from it.", "cancel": "That no longer counts, and the dates follow.", "class": "The class is changed, and the dates follow.",
	"team": "The team’s class is changed. The dates of its pictures follow within minutes.", "move": "The picture is this patient’s now.", "merge": "Both numbers find this patient now.", "unmerge": "The two numbers are two patients again. What stayed here is listed under the merge.",
	"consent": "What the patient agrees to is changed.", "confirm": "The rule is confirmed.", "apply": "The schedule counts now. Dates follow within minutes.",
	"placed": "The hold is placed.", "released": "The hold is released.", "keep": "They are kept, and come back for review on that day.",
	"handed": "Proposed. Nothing leaves this system yet: a different person decides.", "handover-approved": "Approved. The package can be fetched.", "handover-ended": "Ended. What is in it is due for review again.", "handover-confirmed": "Recorded. What is in it is due for review, and can be proposed for destruction.",
	"proposed": "Proposed. Nothing is destroyed yet: a different person decides.", "approved": "Approved. It can be undone until the time below.", "refused": "Refused. Everything in it stays.", "undone": "Undone. Everything in it stays.",
}
