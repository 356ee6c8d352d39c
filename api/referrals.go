package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/referral"
	"github.com/wardseal/wardseal/internal/transfer"
)

// Referral is a question about items, as the API gives it. Messages and items
// are only in a single one.
type Referral struct {
	ID        referral.ID     `json:"id"`
	Patient   *Patient        `json:"patient,omitempty"` // absent once the record is destroyed
	Team      access.TeamID   `json:"team"`
	AskedBy   access.PersonID `json:"asked_by"`
	Audience  Audience        `json:"audience"`
	Question  string          `json:"question"`
	State     referral.State  `json:"state"`
	AskedAt   time.Time       `json:"asked_at"`
	ChangedAt time.Time       `json:"changed_at"`
	SeenAt    *time.Time      `json:"seen_at,omitempty"`
	ReadAt    *time.Time      `json:"read_at,omitempty"`
	Messages  []Message       `json:"messages,omitempty"`
	Items     []ItemInList    `json:"items,omitempty"`
}

// Message is one message of a referral's thread.
type Message struct {
	ID     string          `json:"id"`
	Person access.PersonID `json:"person"`
	Kind   referral.Kind   `json:"kind"`
	Text   string          `json:"text"`
	At     time.Time       `json:"at"`
}

func referralOf(v transfer.ReferralView) Referral {
	r := Referral{
		ID: v.ID, Team: v.Team, AskedBy: v.AskedBy, Audience: Audience{v.Audience.Kind, v.Audience.ID},
		Question: v.Question, State: v.State, AskedAt: v.AskedAt, ChangedAt: v.ChangedAt, SeenAt: at(v.SeenAt), ReadAt: at(v.ReadAt),
	}
	for _, m := range v.Messages {
		r.Messages = append(r.Messages, Message{m.ID, m.Person, m.Kind, m.Text, m.At})
	}
	if p := patient(*v.Patient); p.Number != "" {
		r.Patient = &p
	}
	for _, it := range v.Items {
		r.Items = append(r.Items, inList(it))
	}
	return r
}

func (s *Server) makeReferral(c *gin.Context) {
	var in struct {
		Items    []media.ItemID `json:"items"`
		Audience Audience       `json:"audience"`
		Question string         `json:"question"`
	}
	if !s.read(c, &in) {
		return
	}
	v, err := s.Referrals.Ask(c.Request.Context(), principal(c), in.Items, link.Audience{Kind: in.Audience.Kind, ID: in.Audience.ID}, in.Question)
	if err != nil {
		fail(c, err)
		return
	}
	c.Header("Location", "/api/v1/referrals/"+string(v.ID))
	c.JSON(http.StatusCreated, referralOf(v))
}

func (s *Server) listReferrals(c *gin.Context) {
	o := transfer.ReferralOrder{
		Box: transfer.Box(c.Query("box")), State: referral.State(c.Query("state")), Patient: media.PatientID(c.Query("patient")),
		Sort: referral.Order(c.Query("order")), After: referral.ID(c.Query("after")), Limit: 50,
	}
	if !number(c, "limit", 1, 100, &o.Limit) {
		return
	}
	views, more, err := s.Referrals.List(c.Request.Context(), principal(c), o)
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Referral, 0, len(views))
	for _, v := range views {
		out = append(out, referralOf(v))
	}
	page := gin.H{"referrals": out}
	if more {
		page["next"] = out[len(out)-1].ID
	}
	c.JSON(http.StatusOK, page)
}

func (s *Server) readReferral(c *gin.Context) {
	v, err := s.Referrals.Read(c.Request.Context(), principal(c), referral.ID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, referralOf(v))
}

func (s *Server) writeReferral(c *gin.Context) {
	var in struct {
		Kind  referral.Kind  `json:"kind"`
		Text  string         `json:"text"`
		Items []media.ItemID `json:"items"`
	}
	if !s.read(c, &in) {
		return
	}
	if err := s.Referrals.Write(c.Request.Context(), principal(c), referral.ID(c.Param("id")), in.Kind, in.Text, in.Items); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// Sighting is one person who has seen an item.
type Sighting struct {
	Person  access.PersonID `json:"person"`
	Outside bool            `json:"outside,omitempty"` // no member of staff; Person is the invitation
	First   time.Time       `json:"first"`
	Last    time.Time       `json:"last"`
}

func (s *Server) seenBy(c *gin.Context) {
	all, err := s.Seen.By(c.Request.Context(), principal(c), media.ItemID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Sighting, 0, len(all))
	for _, x := range all {
		out = append(out, Sighting{x.Person, x.Outside, x.First, x.Last})
	}
	c.JSON(http.StatusOK, gin.H{"seen": out})
}
