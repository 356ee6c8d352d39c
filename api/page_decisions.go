package api

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// stage is how far something is that two people decide about, a batch or a
// handover: in words, with the colour of its tag and what happens next.
type stage struct {
	Text   words.Text
	Colour string
	Next   words.Text
}

// decisionWent goes on from a form of the page here of a batch or a handover,
// which takes a few words in field; again shows the page with what was typed.
func decisionWent(c *gin.Context, err error, here, done, field string, again func(int, *ui.Problem)) {
	switch e := fault.From(err); {
	case err == nil:
	case e.Code == codeStepUp: // back to the page itself, whatever form of it this was
		c.Redirect(http.StatusSeeOther, "/step-up?"+url.Values{"next": {here}}.Encode())
		return
	case e.Field == "reason":
		err = e.In(field) // each form of the page has its own
	}
	went(c, err, here+"?done="+done, again)
}
