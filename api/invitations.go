package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/invitation"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
)

// Invitation is an invitation as staff see it. Purpose is absent for those who
// only oversee.
type Invitation struct {
	ID        invitation.ID   `json:"id"`
	CreatedBy access.PersonID `json:"created_by"`
	Name      string          `json:"name"`
	Email     string          `json:"email"`
	Purpose   string          `json:"purpose,omitempty"`
	Items     []media.ItemID  `json:"items"`
	Visits    int             `json:"visits"`
	CreatedAt *time.Time      `json:"created_at"`
	ExpiresAt *time.Time      `json:"expires_at"`
	OpenedAt  *time.Time      `json:"opened_at,omitempty"`
}

func invitationOf(v transfer.InvitationView) Invitation {
	return Invitation{v.ID, v.CreatedBy, v.Name, v.Email, v.Purpose, v.Items, v.Visits, at(v.CreatedAt), at(v.ExpiresAt), at(v.OpenedAt)}
}

func (s *Server) invite(c *gin.Context) {
	var in struct {
		Items      []media.ItemID `json:"items"`
		Name       string         `json:"name"`
		Email      string         `json:"email"`
		Purpose    string         `json:"purpose"`
		TTLSeconds *int64         `json:"ttl_seconds"`
	}
	if !s.read(c, &in) {
		return
	}
	order := transfer.InvitationOrder{Items: in.Items, Name: in.Name, Email: in.Email, Purpose: in.Purpose}
	if in.TTLSeconds != nil {
		d, ok := seconds(*in.TTLSeconds)
		if !ok || d == 0 {
			d = -1 // the flow says what is wrong with it
		}
		order.For = d
	}
	v, err := s.Invitations.Invite(c.Request.Context(), principal(c), order)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, invitationOf(v))
}

func (s *Server) listInvitations(c *gin.Context) {
	views, err := s.Invitations.List(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Invitation, 0, len(views))
	for _, v := range views {
		out = append(out, invitationOf(v))
	}
	c.JSON(http.StatusOK, gin.H{"invitations": out})
}

func (s *Server) revokeInvitation(c *gin.Context) {
	s.done(c, s.Invitations.Revoke(c.Request.Context(), principal(c), invitation.ID(c.Param("id"))))
}

func (s *Server) revokeInvitations(c *gin.Context) {
	n, err := s.Invitations.RevokeAll(c.Request.Context(), principal(c), invitation.ID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"revoked": n})
}

// guestCookie keeps a visit apart from any session of staff in the same
// browser.
const guestCookie = "__Host-wardseal-guest"

const keyVisit = "visit"

// visiting resolves who visits, on every request anew.
func (s *Server) visiting(c *gin.Context) {
	if err := s.recognise(c); err != nil {
		fail(c, err)
	}
}

func (s *Server) recognise(c *gin.Context) error {
	secret, _ := c.Cookie(guestCookie)
	w, err := s.Guests.Recognise(c.Request.Context(), secret, requestID(c))
	if err == nil {
		c.Set(keyVisit, w)
	}
	return err
}

// visit is who visits; elsewhere than behind visiting it is nobody.
func visit(c *gin.Context) transfer.Visit {
	w, _ := c.Value(keyVisit).(transfer.Visit)
	return w
}

// leaveCookie ends what the browser keeps of a visit.
func leaveCookie(c *gin.Context) {
	http.SetCookie(c.Writer, &http.Cookie{Name: guestCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	c.Header("Clear-Site-Data", `"cache"`)
}

func (s *Server) sendCode(c *gin.Context) {
	secret, ok := s.secret(c)
	if ok {
		s.done(c, s.Guests.SendCode(c.Request.Context(), secret, requestID(c)))
	}
}

func (s *Server) openInvitation(c *gin.Context) {
	var in struct {
		Secret string `json:"secret"`
		Code   string `json:"code"`
	}
	if !s.read(c, &in) {
		return
	}
	if in.Secret == "" {
		fail(c, fault.New(fault.Invalid, "link-secret-missing", "Send the part of the link that follows the # sign.").In("secret"))
		return
	}
	secret, v, err := s.Guests.Open(c.Request.Context(), in.Secret, in.Code, requestID(c))
	if err != nil {
		fail(c, err)
		return
	}
	http.SetCookie(c.Writer, &http.Cookie{Name: guestCookie, Value: secret.Reveal(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	c.JSON(http.StatusOK, gin.H{"ends_at": at(v.ExpiresAt)})
}

// InvitedItem is one item as a visitor sees it, and the addresses of its forms.
type InvitedItem struct {
	ID         media.ItemID      `json:"id"`
	Video      bool              `json:"video"`
	Renditions []media.Rendition `json:"renditions"`
	URL        string            `json:"url"` // of its renditions: append one of their names
}

const invitedBase = "/api/v1/invited/items/"

func (s *Server) showInvited(c *gin.Context) {
	v, err := s.Guests.Look(c.Request.Context(), visit(c))
	if err != nil {
		fail(c, err)
		return
	}
	items := make([]InvitedItem, 0, len(v.Items))
	for _, it := range v.Items {
		forms := make([]media.Rendition, 0, len(it.Forms))
		for _, f := range it.Forms {
			forms = append(forms, f.Rendition)
		}
		items = append(items, InvitedItem{it.ID, it.Video, forms, invitedBase + string(it.ID) + "/renditions/"})
	}
	c.JSON(http.StatusOK, gin.H{"name": v.Name, "from": v.From, "purpose": v.Purpose, "ends_at": at(v.EndsAt), "expires_at": at(v.ExpiresAt), "items": items})
}

func (s *Server) endVisit(c *gin.Context) {
	err := s.Guests.Leave(c.Request.Context(), visit(c))
	if err == nil {
		leaveCookie(c)
	}
	s.done(c, err)
}

func (s *Server) showInvitedItem(c *gin.Context) {
	s.show(c, func(r media.Rendition, wanted transfer.Span, shown bool) (*transfer.Content, error) {
		return s.Views.Invited(c.Request.Context(), visit(c), media.ItemID(c.Param("id")), r, wanted, shown)
	})
}
