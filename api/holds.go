package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/retention"
)

// Hold keeps what meets its criteria from being destroyed.
type Hold struct {
	ID         retention.HoldID  `json:"id"`
	Reason     string            `json:"reason"`
	Authority  string            `json:"authority"`
	From       string            `json:"from,omitempty"`
	Until      string            `json:"until,omitempty"`
	Teams      []access.TeamID   `json:"teams"`
	Patients   []media.PatientID `json:"patients"`
	BodySite   string            `json:"body_site,omitempty"`
	PlacedBy   access.PersonID   `json:"placed_by"`
	PlacedAt   time.Time         `json:"placed_at"`
	ReleasedAt *time.Time        `json:"released_at,omitempty"`
	Items      int               `json:"items"`
}

func (s *Server) listHolds(c *gin.Context) {
	all, err := s.Records.Holds(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Hold, 0, len(all))
	for _, h := range all {
		v := Hold{ID: h.ID, Reason: h.Reason, Authority: h.Authority, From: dayOf(h.From), Teams: append([]access.TeamID{}, h.Teams...), Patients: append([]media.PatientID{}, h.Patients...), BodySite: h.SiteName, PlacedBy: h.PlacedBy, PlacedAt: h.PlacedAt, ReleasedAt: at(h.ReleasedAt), Items: h.Items}
		if !h.To.IsZero() {
			v.Until = dayOf(h.To.AddDate(0, 0, -1))
		}
		out = append(out, v)
	}
	c.JSON(http.StatusOK, gin.H{"holds": out})
}

// newHold is a hold as it is asked for.
type newHold struct {
	Reason     string            `json:"reason"`
	Authority  string            `json:"authority"`
	From       string            `json:"from"`
	Until      string            `json:"until"`
	Teams      []access.TeamID   `json:"teams"`
	Patients   []media.PatientID `json:"patients"`
	BodySite   string            `json:"body_site"`
	Everything bool              `json:"everything"`
}

func (n newHold) hold() records.NewHold {
	return records.NewHold{Reason: n.Reason, Authority: n.Authority, From: n.From, To: n.Until, Teams: n.Teams, Patients: n.Patients, Site: n.BodySite, Everything: n.Everything}
}

func (s *Server) placeHold(c *gin.Context) {
	var in newHold
	if !s.read(c, &in) {
		return
	}
	id, err := s.Records.Place(c.Request.Context(), principal(c), in.hold())
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, gin.H{"id": id})
}

func (s *Server) matchHold(c *gin.Context) {
	var in newHold
	if !s.read(c, &in) {
		return
	}
	items, due, err := s.Records.Match(c.Request.Context(), principal(c), in.hold())
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"items": items, "due": due})
}

func (s *Server) releaseHold(c *gin.Context) {
	var in struct {
		Reason string `json:"reason"`
	}
	if s.read(c, &in) {
		done(c, s.Records.Release(c.Request.Context(), principal(c), retention.HoldID(c.Param("id")), in.Reason))
	}
}
