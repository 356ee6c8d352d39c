package api

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
)

// tokenDays are how long a token may be chosen to live.
var tokenDays = []int{30, 90, 365}

// tokensPage is where people make API tokens. It needs proof that it is them: a
// token outlives the session that made it.
func (s *Server) tokensPage(c *gin.Context) {
	if err := s.Door.SteppedUp(c.Request.Context(), principal(c)); err != nil {
		failPage(c, err)
		return
	}
	s.askToken(c, http.StatusOK, "", nil, tokenDays[0], nil)
}

// scopeChoice is a scope that a person's role can use.
type scopeChoice struct {
	access.ScopeDoc
	Ticked bool
}

func (s *Server) askToken(c *gin.Context, status int, name string, ticked []access.Scope, days int, problem *ui.Problem) {
	var scopes []scopeChoice
	for _, d := range access.Scopes() {
		last := d.Actions[len(d.Actions)-1] // what it is for
		if access.May(principal(c), last) == access.Allow {
			scopes = append(scopes, scopeChoice{d, slices.Contains(ticked, d.Scope)})
		}
	}
	render(c, status, "tokens", ui.Page{Title: "Make an API token", Problem: problem, Data: map[string]any{"Name": name, "Scopes": scopes, "Days": tokenDays, "Chosen": days}})
}

func (s *Server) tokenForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	var scopes []access.Scope
	for _, v := range f["scopes"] {
		scopes = append(scopes, access.Scope(v))
	}
	days, err := strconv.Atoi(f.Get("days"))
	if err != nil || !slices.Contains(tokenDays, days) {
		days = tokenDays[0]
	}
	secret, t, err := s.Own.MintToken(c.Request.Context(), principal(c), f.Get("name"), scopes, time.Duration(days)*24*time.Hour)
	switch {
	case err == nil:
		render(c, http.StatusOK, "token", ui.Page{Title: "Your API token", Data: map[string]any{"Name": t.Name, "Secret": secret.Reveal(), "Days": days}})
	case fault.Is(err, fault.Invalid):
		s.askToken(c, logged500(c, err), f.Get("name"), scopes, days, problemOf(err))
	default:
		failPage(c, err)
	}
}
