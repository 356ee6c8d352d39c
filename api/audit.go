package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
)

func (s *Server) searchAudit(c *gin.Context) {
	f := transfer.EventFilter{
		Item: media.ItemID(c.Query("item")), Patient: media.PatientID(c.Query("patient")), Person: access.PersonID(c.Query("person")),
		Link: link.ID(c.Query("link")), Type: audit.Type(c.Query("type")), Limit: 100,
	}
	for name, id := range map[string]string{"item": string(f.Item), "patient": string(f.Patient), "person": string(f.Person), "link": string(f.Link)} {
		if id != "" && !media.ValidID(id) {
			fail(c, fault.New(fault.Invalid, "filter-wrong", "This filter takes an identifier that this server gave out.").In(name))
			return
		}
	}
	after := 0
	if !number(c, "limit", 1, 500, &f.Limit) || !number(c, "after", 1, 1<<52, &after) || !moment(c, "from", &f.From) || !moment(c, "to", &f.To) {
		return
	}
	f.After = int64(after)
	events, more, err := s.Account.Events(c.Request.Context(), principal(c), f)
	if err != nil {
		fail(c, err)
		return
	}
	if events == nil {
		events = []audit.Event{}
	}
	page := gin.H{"events": events}
	if more {
		page["next"] = events[len(events)-1].Seq
	}
	c.JSON(http.StatusOK, page)
}

// moment reads a time from the query into t, or answers why not.
func moment(c *gin.Context, name string, t *time.Time) bool {
	q := c.Query(name)
	if q == "" {
		return true
	}
	v, err := time.Parse(time.RFC3339, q)
	if err != nil {
		fail(c, fault.New(fault.Invalid, "filter-wrong", "Give a time as in 2026-03-01T14:30:00Z (RFC 3339).").In(name))
		return false
	}
	*t = v
	return true
}
