package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/handover"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// Handover is items that go to another organisation together.
type Handover struct {
	ID           retention.HandoverID    `json:"id"`
	State        retention.HandoverState `json:"state"`
	Receiver     string                  `json:"receiver"`
	Recipient    string                  `json:"recipient"`
	Reason       string                  `json:"reason"`
	ProposedBy   access.PersonID         `json:"proposed_by"`
	ProposedAt   time.Time               `json:"proposed_at"`
	DecidedBy    access.PersonID         `json:"decided_by,omitempty"`
	DecidedAt    *time.Time              `json:"decided_at,omitempty"`
	Decision     string                  `json:"decision,omitempty"`
	SentBy       access.PersonID         `json:"sent_by,omitempty"`
	SentAt       *time.Time              `json:"sent_at,omitempty"`
	ConfirmedBy  access.PersonID         `json:"confirmed_by,omitempty"`
	ConfirmedAt  *time.Time              `json:"confirmed_at,omitempty"`
	Confirmation *retention.Confirmation `json:"confirmation,omitempty"`
	Items        int                     `json:"items"`
	Lines        []HandoverLine          `json:"lines,omitempty"`
}

// HandoverLine is one item of a handover.
type HandoverLine struct {
	Item      media.ItemID `json:"item"`
	BodySite  string       `json:"body_site,omitempty"`
	FiledAt   time.Time    `json:"filed_at"`
	Destroyed bool         `json:"destroyed"`
}

func handoverOf(v handover.View) Handover {
	h := Handover{v.ID, v.State, v.Receiver, v.Recipient, v.Reason, v.ProposedBy, v.ProposedAt, v.DecidedBy, at(v.DecidedAt), v.Decision, v.SentBy, at(v.SentAt), v.ConfirmedBy, at(v.ConfirmedAt), nil, v.Items, nil}
	if !v.ConfirmedAt.IsZero() {
		h.Confirmation = &v.Confirmation
	}
	for _, l := range v.Lines {
		h.Lines = append(h.Lines, HandoverLine{l.Item, l.BodySite, l.FiledAt, l.Gone})
	}
	return h
}

func (s *Server) listHandovers(c *gin.Context) {
	all, err := s.Handover.List(c.Request.Context(), principal(c), retention.HandoverID(c.Query("after")))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Handover, 0, len(all))
	for _, v := range all {
		out = append(out, handoverOf(v))
	}
	c.JSON(http.StatusOK, gin.H{"handovers": out})
}

func (s *Server) showHandover(c *gin.Context) {
	v, err := s.Handover.Show(c.Request.Context(), principal(c), retention.HandoverID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, handoverOf(v))
}

func (s *Server) proposeHandover(c *gin.Context) {
	var in struct {
		Items     []media.ItemID `json:"items"`
		Receiver  string         `json:"receiver"`
		Recipient string         `json:"recipient"`
		Reason    string         `json:"reason"`
	}
	if !s.read(c, &in) {
		return
	}
	id, err := s.Handover.Propose(c.Request.Context(), principal(c), handover.New{Items: in.Items, Receiver: in.Receiver, Recipient: in.Recipient, Reason: in.Reason})
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, gin.H{"id": id})
}

// decidesHandover approves or ends a handover, with a few words.
type decidesHandover func(ctx context.Context, who access.Principal, id retention.HandoverID, words string) error

func (s *Server) decideHandover(decide decidesHandover) gin.HandlerFunc {
	return func(c *gin.Context) {
		var in struct {
			Reason string `json:"reason"`
		}
		if s.read(c, &in) {
			done(c, decide(c.Request.Context(), principal(c), retention.HandoverID(c.Param("id")), in.Reason))
		}
	}
}

func (s *Server) confirmHandover(c *gin.Context) {
	var in retention.Confirmation
	if s.read(c, &in) {
		done(c, s.Handover.Confirm(c.Request.Context(), principal(c), retention.HandoverID(c.Param("id")), in))
	}
}

// handoverPackage streams the package of a handover, which is made as it goes
// and is nowhere kept.
func (s *Server) handoverPackage(fail func(*gin.Context, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		p, err := s.Handover.Package(c.Request.Context(), principal(c), retention.HandoverID(c.Param("id")))
		if err != nil {
			fail(c, err)
			return
		}
		download(c, "application/octet-stream", "handover-"+c.Param("id")+".tar.age")
		if err := p.Write(c.Request.Context(), &outgoing{c.Writer, http.NewResponseController(c.Writer)}); err != nil {
			cut(c, err)
		}
	}
}
