package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
)

// Audience is whom a link is for.
type Audience struct {
	Kind link.AudienceKind `json:"kind"`
	ID   string            `json:"id"`
}

// Link is a link as its maker sees it. URL is there once, when it is made: the
// secret in its fragment is not kept.
type Link struct {
	ID        link.ID      `json:"id"`
	Item      media.ItemID `json:"item"`
	Audience  Audience     `json:"audience"`
	Purpose   string       `json:"purpose"`
	Uses      int          `json:"uses"`
	UsesLeft  int          `json:"uses_left"`
	CreatedAt *time.Time   `json:"created_at"`
	ExpiresAt *time.Time   `json:"expires_at"`
	OpenedAt  *time.Time   `json:"opened_at,omitempty"`
	URL       string       `json:"url,omitempty"`
}

func linkOf(v transfer.LinkView) Link {
	return Link{v.ID, v.Item, Audience{v.Audience.Kind, v.Audience.ID}, v.Purpose, v.Uses, v.UsesLeft, at(v.CreatedAt), at(v.ExpiresAt), at(v.OpenedAt), ""}
}

func (s *Server) makeLink(c *gin.Context) {
	var in struct {
		Audience   Audience `json:"audience"`
		Purpose    string   `json:"purpose"`
		TTLSeconds *int64   `json:"ttl_seconds"`
		Uses       *int     `json:"uses"`
	}
	if !s.read(c, &in) {
		return
	}
	order := transfer.LinkOrder{Audience: link.Audience{Kind: in.Audience.Kind, ID: in.Audience.ID}, Purpose: in.Purpose}
	if in.TTLSeconds != nil {
		d, ok := seconds(*in.TTLSeconds)
		if !ok || d == 0 {
			d = -1 // the flow says what is wrong with it
		}
		order.For = d
	}
	if in.Uses != nil {
		order.Uses = *in.Uses
		if order.Uses == 0 {
			order.Uses = -1
		}
	}
	secret, v, err := s.Links.Make(c.Request.Context(), principal(c), media.ItemID(c.Param("id")), order)
	if err != nil {
		fail(c, err)
		return
	}
	out := linkOf(v)
	out.URL = s.cfg.PublicURL + "/l#" + secret.Reveal()
	c.JSON(http.StatusCreated, out)
}

func (s *Server) listLinks(c *gin.Context) {
	views, err := s.Links.Mine(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Link, 0, len(views))
	for _, v := range views {
		out = append(out, linkOf(v))
	}
	c.JSON(http.StatusOK, gin.H{"links": out})
}

func (s *Server) revokeLink(c *gin.Context) {
	s.done(c, s.Links.Revoke(c.Request.Context(), principal(c), link.ID(c.Param("id"))))
}

func (s *Server) revokeLinksTo(c *gin.Context) {
	var in struct {
		Person access.PersonID `json:"person"`
	}
	if !s.read(c, &in) {
		return
	}
	n, err := s.Links.RevokeTo(c.Request.Context(), principal(c), in.Person)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"revoked": n})
}

// secret reads a link's secret from a request's body: in an address it would
// end up in logs.
func (s *Server) secret(c *gin.Context) (string, bool) {
	var in struct {
		Secret string `json:"secret"`
	}
	if !s.read(c, &in) {
		return "", false
	}
	if in.Secret == "" {
		fail(c, fault.New(fault.Invalid, "link-secret-missing", "Send the part of the link that follows the # sign.").In("secret"))
		return "", false
	}
	return in.Secret, true
}

func (s *Server) visitLink(c *gin.Context) {
	secret, ok := s.secret(c)
	if !ok {
		return
	}
	v, err := s.Links.Visit(c.Request.Context(), principal(c), secret)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"purpose": v.Purpose, "expires_at": at(v.ExpiresAt), "from": v.CreatedBy})
}

// Grant is an opened link.
type Grant struct {
	ID        link.GrantID `json:"id"`
	Item      media.ItemID `json:"item"`
	ExpiresAt *time.Time   `json:"expires_at"`
	URL       string       `json:"url"` // of its renditions: append one of their names
}

func (s *Server) openLink(c *gin.Context) {
	secret, ok := s.secret(c)
	if !ok {
		return
	}
	g, err := s.Links.Open(c.Request.Context(), principal(c), secret)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Grant{g.ID, g.Item, at(g.ExpiresAt), "/api/v1/grants/" + string(g.ID) + "/renditions/"})
}
