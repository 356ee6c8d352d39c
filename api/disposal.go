package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/disposal/paper"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// DueItem is an item whose time has come.
type DueItem struct {
	Item     media.ItemID    `json:"item"`
	Patient  media.PatientID `json:"patient"`
	Team     access.TeamID   `json:"team"`
	Class    string          `json:"class"`
	Why      words.Text      `json:"why"`
	Verified bool            `json:"rule_verified"`
	BodySite string          `json:"body_site"`
	FiledAt  time.Time       `json:"filed_at"`
	ReviewOn string          `json:"review_on"`
	Holds    int             `json:"holds"`

	HandedOver *disposal.HandedOver `json:"handed_over,omitempty"`
}

func (s *Server) listDue(c *gin.Context) {
	limit := 50
	if !number(c, "limit", 1, 200, &limit) {
		return
	}
	all, more, err := s.Disposal.Due(c.Request.Context(), principal(c), disposal.DueFilter{
		Team: access.TeamID(c.Query("team")), Rule: retention.Class(c.Query("class")), After: media.ItemID(c.Query("after")), Limit: limit})
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]DueItem, 0, len(all))
	for _, d := range all {
		out = append(out, DueItem{d.Item, d.Patient, d.Team, d.Class, d.Why, d.Sure, d.BodySite, d.FiledAt, dayOf(d.DueOn), d.HeldBy, d.HandedOver})
	}
	answer := gin.H{"items": out}
	if more && len(out) > 0 {
		answer["next"] = out[len(out)-1].Item
	}
	c.JSON(http.StatusOK, answer)
}

func (s *Server) keepDue(c *gin.Context) {
	var in struct {
		Items    []media.ItemID `json:"items"`
		Decision string         `json:"decision"`
		Until    string         `json:"until"`
		Reason   string         `json:"reason"`
	}
	if s.read(c, &in) {
		done(c, s.Disposal.Keep(c.Request.Context(), principal(c), in.Items, in.Decision, in.Until, in.Reason))
	}
}

func (s *Server) proposeDisposal(c *gin.Context) {
	var in struct {
		Ground retention.Ground `json:"ground"`
		Items  []media.ItemID   `json:"items"`
		Reason string           `json:"reason"`
	}
	if !s.read(c, &in) {
		return
	}
	id, err := s.Disposal.Propose(c.Request.Context(), principal(c), in.Ground, in.Items, in.Reason)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, gin.H{"id": id})
}

// Batch is items that are to be destroyed together, or were.
type Batch struct {
	ID         retention.BatchID    `json:"id"`
	Ground     retention.Ground     `json:"ground"`
	State      retention.BatchState `json:"state"`
	Reason     string               `json:"reason"`
	Decision   string               `json:"decision,omitempty"`
	ProposedBy access.PersonID      `json:"proposed_by,omitempty"`
	ProposedAt time.Time            `json:"proposed_at"`
	DecidedBy  access.PersonID      `json:"decided_by,omitempty"`
	DecidedAt  *time.Time           `json:"decided_at,omitempty"`
	UndoUntil  *time.Time           `json:"undo_until,omitempty"`
	StartedAt  *time.Time           `json:"started_at,omitempty"`
	FinishedAt *time.Time           `json:"finished_at,omitempty"`
	Items      int                  `json:"items"`
	Destroyed  int                  `json:"destroyed"`
	Spared     int                  `json:"spared"`
	Final      bool                 `json:"final"`
	Lines      []BatchLine          `json:"lines,omitempty"`
}

// BatchLine is one item of a batch.
type BatchLine struct {
	Item  media.ItemID        `json:"item"`
	State retention.ItemState `json:"state"`
	Why   string              `json:"why,omitempty"`
}

func batch(v disposal.BatchView) Batch {
	b := Batch{v.ID, v.Ground, v.State, v.Reason, v.Decision, v.ProposedBy, v.ProposedAt, v.DecidedBy, at(v.DecidedAt), at(v.RunAt), at(v.StartedAt), at(v.FinishedAt), v.Items, v.Gone, v.Spared, len(v.Final) > 0, nil}
	for _, l := range v.Lines {
		b.Lines = append(b.Lines, BatchLine{l.Item, l.State, l.Why})
	}
	return b
}

func (s *Server) listDisposals(c *gin.Context) {
	all, err := s.Disposal.List(c.Request.Context(), principal(c), retention.BatchID(c.Query("after")))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Batch, 0, len(all))
	for _, v := range all {
		out = append(out, batch(v))
	}
	c.JSON(http.StatusOK, gin.H{"disposals": out})
}

func (s *Server) showDisposal(c *gin.Context) {
	v, err := s.Disposal.Show(c.Request.Context(), principal(c), retention.BatchID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, batch(v))
}

// decideDisposal is for the second person's words.
func (s *Server) decideDisposal(decide func(c *gin.Context, id retention.BatchID, words string) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		var in struct {
			Reason string `json:"reason"`
		}
		if s.read(c, &in) {
			done(c, decide(c, retention.BatchID(c.Param("id")), in.Reason))
		}
	}
}

func (s *Server) approveDisposal(c *gin.Context, id retention.BatchID, words string) error {
	return s.Disposal.Approve(c.Request.Context(), principal(c), id, words)
}

func (s *Server) refuseDisposal(c *gin.Context, id retention.BatchID, words string) error {
	return s.Disposal.Refuse(c.Request.Context(), principal(c), id, words)
}

func (s *Server) undoDisposal(c *gin.Context, id retention.BatchID, words string) error {
	return s.Disposal.Undo(c.Request.Context(), principal(c), id, words)
}

func (s *Server) showCertificate(c *gin.Context) {
	_, signed, err := s.Disposal.Certificate(c.Request.Context(), principal(c), retention.BatchID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	attach(c, "certificate", "json")
	c.Data(http.StatusOK, "application/json", signed)
}

func (s *Server) printCertificate(c *gin.Context) {
	cert, signed, err := s.Disposal.Certificate(c.Request.Context(), principal(c), retention.BatchID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	pdf, err := paper.Certificate(cert, signed)
	if err != nil {
		fail(c, err)
		return
	}
	attach(c, "certificate", "pdf")
	c.Data(http.StatusOK, "application/pdf", pdf)
}

// attach names a file by the identifier in the address, which was checked.
func attach(c *gin.Context, what, ext string) {
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, what, c.Param("id"), ext))
}

func (s *Server) matchCertificate(c *gin.Context) {
	var in struct {
		Kind   string `json:"patient_number_kind"`
		Number string `json:"patient_number"`
	}
	if !s.read(c, &in) {
		return
	}
	n, err := s.Disposal.Match(c.Request.Context(), principal(c), retention.BatchID(c.Param("id")), in.Kind, in.Number)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"items": n})
}
