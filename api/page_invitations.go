package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/invitation"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

type inviteView struct {
	Items   []row
	Patient Patient
	Typed   map[string]string
	Mails   bool
}

// invitePage invites somebody outside to see one or several items.
func (s *Server) invitePage(c *gin.Context) {
	s.inviting(c, http.StatusOK, c.QueryArray("item"), map[string]string{"ttl": "24h0m0s"}, nil)
}

func (s *Server) inviting(c *gin.Context, status int, ids []string, typed map[string]string, problem *ui.Problem) {
	who := principal(c)
	if access.May(who, access.InviteOutside) == access.Allow && (len(ids) == 0 || len(ids) > invitation.MaxItems) {
		failPage(c, fault.New(fault.Invalid, "items", "Choose the pictures to show first: open Pictures, find the patient, and tick them."))
		return
	}
	v := inviteView{Typed: typed, Mails: s.cfg.Mails}
	for _, id := range ids {
		it, err := s.Items.Describe(c.Request.Context(), who, media.ItemID(id))
		if err == nil && access.Decide(who, access.InviteOutside, it.Relation) != access.Allow {
			err = fault.New(fault.Denied, "not-yours-to-share", "This picture is not your team’s, so you cannot invite others to it. Ask whoever sent it.")
		}
		if err != nil {
			failPage(c, err)
			return
		}
		v.Patient = patient(*it.Patient)
		v.Items = append(v.Items, row{ID: it.ID, Patient: v.Patient, BodySite: it.BodySite, Video: it.Format.Video(), FiledAt: it.FiledAt, Pictured: access.Decide(who, access.ShowItem, it.Relation) == access.Allow})
	}
	if len(v.Items) == 0 {
		failPage(c, fault.New(fault.Denied, "not-allowed", "Your role does not allow this. If you need it for your work, ask your administrator."))
		return
	}
	render(c, status, "invite", ui.Page{Title: "Invite somebody outside", Wide: true, Problem: problem, Data: v})
}

func (s *Server) inviteForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	o := transfer.InvitationOrder{Name: f.Get("name"), Email: f.Get("email"), Purpose: f.Get("purpose"), For: -1}
	if d, err := time.ParseDuration(f.Get("ttl")); err == nil && d > 0 {
		o.For = d
	}
	for _, id := range f["item"] {
		o.Items = append(o.Items, media.ItemID(id))
	}
	_, err := s.Invitations.Invite(c.Request.Context(), principal(c), o)
	switch kind := fault.From(err); {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/invitations?invited=yes")
	case kind.Kind == fault.Invalid, kind.Code == "mail-missing", kind.Code == "mail-down":
		s.inviting(c, logged500(c, err), f["item"], map[string]string{"name": o.Name, "email": o.Email, "purpose": o.Purpose, "ttl": f.Get("ttl")}, problemOf(err))
	default:
		failPage(c, err)
	}
}

// invitee is a person outside and what they are invited to.
type invitee struct {
	Name, Email string
	Invitations []invitationRow
}

type invitationRow struct {
	ID       invitation.ID
	Purpose  string
	From     words.Text
	Items    []numbered
	Until    time.Time
	Visits   int
	OpenedAt time.Time
}

// numbered is an item as a list counts it.
type numbered struct {
	N  int
	ID media.ItemID
}

func numberedOf(ids []media.ItemID) []numbered {
	out := make([]numbered, len(ids))
	for i, id := range ids {
		out[i] = numbered{i + 1, id}
	}
	return out
}

type invitationsView struct {
	People   []invitee
	Oversees bool // sees everybody's, and not the pictures
	Mails    bool
}

func (s *Server) invitationsPage(c *gin.Context) {
	who := principal(c)
	views, err := s.Invitations.List(c.Request.Context(), who)
	if err != nil {
		failPage(c, err)
		return
	}
	people, err := s.colleagues(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := invitationsView{Oversees: access.Decide(who, access.RevokeInvitation, 0) == access.Allow, Mails: s.cfg.Mails}
	place := map[string]int{} // by the keyed hash of the address
	for _, i := range views {
		n, known := place[string(i.Recipient)]
		if !known {
			n = len(v.People)
			place[string(i.Recipient)] = n
			v.People = append(v.People, invitee{Name: i.Name, Email: i.Email})
		}
		v.People[n].Invitations = append(v.People[n].Invitations, invitationRow{i.ID, i.Purpose, personName(people, i.CreatedBy), numberedOf(i.Items), i.ExpiresAt, i.Visits, i.OpenedAt})
	}
	p := ui.Page{Title: "Invitations", Wide: true, Data: v}
	if c.Query("invited") != "" {
		p.Notice = "The invitation is on its way by mail. It says nothing about the patient."
	}
	if n, err := strconv.Atoi(c.Query("revoked")); err == nil && n >= 0 {
		p.Notice = words.Count(n, "The invitation is revoked. A visit that was open is cut off.", "{n} invitations are revoked. Visits that were open are cut off.")
	}
	render(c, http.StatusOK, "invitations", p)
}

func (s *Server) revokeInvitationForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	ctx, who, id, n := c.Request.Context(), principal(c), invitation.ID(c.Param("id")), 1
	var err error
	switch f.Get("do") {
	case "revoke":
		err = s.Invitations.Revoke(ctx, who, id)
	case "revoke-all":
		n, err = s.Invitations.RevokeAll(ctx, who, id)
	default:
		err = fault.New(fault.Invalid, "form-wrong", "This form did not arrive whole. Try again.")
	}
	if err != nil {
		failPage(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/invitations?revoked="+strconv.Itoa(n))
}
