package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// madeLink is a link just made. Its address is shown this once.
type madeLink struct {
	URL   string
	For   words.Text
	Until time.Time
	Uses  int
}

// linkRow is a live link in a list.
type linkRow struct {
	ID             link.ID
	Item           media.ItemID
	For            words.Text
	Purpose        string
	Uses, UsesLeft int
	Until          time.Time
	OpenedAt       time.Time
}

func linkRows(links []transfer.LinkView, people []Person, teams []Team) []linkRow {
	var out []linkRow
	for _, l := range links {
		out = append(out, linkRow{l.ID, l.Item, audienceName(l.Audience, people, teams), l.Purpose, l.Uses, l.UsesLeft, l.ExpiresAt, l.OpenedAt})
	}
	return out
}

func audienceName(a link.Audience, people []Person, teams []Team) words.Text {
	switch a.Kind {
	case link.ToPerson:
		return personName(people, access.PersonID(a.ID))
	case link.ToTeam:
		return words.Say("the team {team}", teamName(teams, access.TeamID(a.ID)))
	}
	return words.Say("any {role}", roleName(access.Role(a.ID)))
}

// linkPage opens links. It is filled in by script, since only that can read
// the part of an address after the # sign.
func (s *Server) linkPage(c *gin.Context) {
	render(c, http.StatusOK, "link", ui.Page{Title: "Open a clinical picture"})
}

// linkForm makes a link to an item and shows its address once.
func (s *Server) linkForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	order := map[string]string{"audience": f.Get("audience"), "purpose": f.Get("purpose"), "uses": f.Get("uses"), "ttl": f.Get("ttl")}
	kind, id, _ := strings.Cut(order["audience"], ":")
	in := transfer.LinkOrder{Audience: link.Audience{Kind: link.AudienceKind(kind), ID: id}, Purpose: order["purpose"], For: -1, Uses: -1}
	if d, err := time.ParseDuration(order["ttl"]); err == nil && d > 0 {
		in.For = d
	}
	if n, err := strconv.Atoi(strings.TrimSpace(order["uses"])); err == nil && n != 0 {
		in.Uses = n
	}
	secret, v, err := s.Links.Make(c.Request.Context(), principal(c), media.ItemID(c.Param("id")), in)
	if err != nil {
		if k := fault.From(err).Kind; k != fault.Invalid {
			failPage(c, err)
			return
		}
		s.item(c, logged500(c, err), said{order: order}, problemOf(err))
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	made := &madeLink{URL: s.cfg.PublicURL + "/l#" + secret.Reveal(), For: audienceName(v.Audience, people, teams), Until: v.ExpiresAt, Uses: v.Uses}
	s.item(c, http.StatusCreated, said{made: made}, nil)
}

type linksView struct {
	Links  []linkRow
	People []Person // to whom live links of one's own lead
}

func (s *Server) linksPage(c *gin.Context) {
	links, err := s.Links.Mine(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := linksView{Links: linkRows(links, people, teams)}
	for _, p := range people {
		for _, l := range links {
			if l.Audience.Kind == link.ToPerson && l.Audience.ID == string(p.ID) {
				v.People = append(v.People, p)
				break
			}
		}
	}
	p := ui.Page{Title: "My live links", Wide: true, Data: v}
	if n, err := strconv.Atoi(c.Query("revoked")); err == nil && n >= 0 {
		p.Notice = words.Count(n, "The link is revoked. A view that was open is cut off.", "{n} links are revoked. Views that were open are cut off.")
	}
	render(c, http.StatusOK, "links", p)
}

func (s *Server) revokeForm(c *gin.Context) {
	if _, ok := fields(c); !ok {
		return
	}
	if err := s.Links.Revoke(c.Request.Context(), principal(c), link.ID(c.Param("id"))); err != nil {
		failPage(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/links?revoked=1")
}

func (s *Server) revokeToForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	n, err := s.Links.RevokeTo(c.Request.Context(), principal(c), access.PersonID(f.Get("person")))
	if err != nil {
		failPage(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/links?"+url.Values{"revoked": {strconv.Itoa(n)}}.Encode())
}
