package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/internal/words"
)

// openWithoutFactor reports whether a page is open to somebody who needs a
// second factor and has none yet.
func openWithoutFactor(path string) bool {
	return strings.HasPrefix(path, "/account/second-step") || strings.HasPrefix(path, "/step-up") || path == "/sign-out"
}

// secondPage asks for the second half of a sign-in.
func (s *Server) secondPage(c *gin.Context, status int, half, next string, problem *ui.Problem) {
	ctx := c.Request.Context()
	totp, passkey, err := s.Factors.Kinds(ctx, half)
	var asked signin.Asked
	if err == nil && passkey {
		asked, err = s.Factors.AskPasskey(ctx, half)
	}
	if err != nil {
		s.signInAgain(c, next, err)
		return
	}
	render(c, status, "second", ui.Page{Title: "Second step", Problem: problem, Data: map[string]any{
		"Half": half, "Next": next, "App": totp, "Options": asked.Options, "Asked": asked.Secret.Reveal()}})
}

// signInAgain shows the sign-in page with what went wrong.
func (s *Server) signInAgain(c *gin.Context, next string, err error) {
	p := ui.Page{Title: "Sign in", Problem: problemOf(err), Data: s.signInView("", next)}
	render(c, logged500(c, err), "sign-in", p)
}

// proofIn reads a second factor from a form.
func proofIn(f interface{ Get(string) string }) signin.SecondProof {
	return signin.SecondProof{Code: f.Get("code"), Answer: []byte(f.Get("answer")), Asked: f.Get("asked")}
}

func (s *Server) secondForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	half, next := f.Get("half"), local(f.Get("next"))
	secret, _, err := s.Door.Second(c.Request.Context(), half, proofIn(f), deviceWords(c.Request.UserAgent()), requestID(c))
	switch {
	case err == nil:
		if secret != "" { // else a session that there is was stepped up
			if err := s.giveSession(c, secret.Reveal()); err != nil {
				s.signInAgain(c, next, err)
				return
			}
		}
		c.Redirect(http.StatusSeeOther, next)
	case fault.Is(err, fault.Denied):
		s.secondPage(c, logged500(c, err), half, next, problemOf(err))
	default:
		s.signInAgain(c, next, err)
	}
}

// factorsPage is where people see and change their second factors. It needs
// proof that it is them, so that who finds an open screen cannot lock them out.
func (s *Server) factorsPage(c *gin.Context) { s.secondSteps(c, http.StatusOK, nil) }

func (s *Server) secondSteps(c *gin.Context, status int, problem *ui.Problem) {
	ctx, who := c.Request.Context(), principal(c)
	if err := s.Door.SteppedUp(ctx, who); err != nil {
		failPage(c, err)
		return
	}
	all, err := s.Factors.Overview(ctx, who)
	if err != nil {
		failPage(c, err)
		return
	}
	p := ui.Page{Title: "Second step at sign-in", Problem: problem, Data: map[string]any{"All": all, "Must": who.NoFactor}}
	p.Notice = map[string]words.Text{"removed": "It is removed."}[c.Query("done")]
	render(c, status, "factors", p)
}

// stepped refuses a form of second factors without proof, or goes to ask.
func (s *Server) stepped(c *gin.Context) (fieldsOf, bool) {
	f, ok := fields(c)
	if !ok {
		return nil, false
	}
	if err := s.Door.SteppedUp(c.Request.Context(), principal(c)); err != nil {
		failPage(c, err)
		return nil, false
	}
	return f, true
}

// fieldsOf are the fields of a form.
type fieldsOf interface{ Get(string) string }

func (s *Server) appForm(c *gin.Context) {
	if _, ok := s.stepped(c); !ok {
		return
	}
	a, err := s.Factors.BeginApp(c.Request.Context(), principal(c))
	s.app2(c, http.StatusOK, a, "", nil, err)
}

// app2 shows the key of an app that is being set up, and asks for its first code.
func (s *Server) app2(c *gin.Context, status int, a signin.App, name string, problem *ui.Problem, err error) {
	var code ui.QR
	if err == nil {
		code, err = ui.NewQR(a.URL)
	}
	if err != nil {
		failPage(c, err)
		return
	}
	render(c, status, "factor-app", ui.Page{Title: "Set up an app", Problem: problem, Data: map[string]any{"Setup": a.Setup.Reveal(), "Key": grouped(a.Key), "QR": code, "Name": name}})
}

// grouped writes a key in groups of four, to type it.
func grouped(key string) string {
	var b strings.Builder
	for i, r := range key {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (s *Server) appConfirmForm(c *gin.Context) {
	f, ok := s.stepped(c)
	if !ok {
		return
	}
	ctx, who := c.Request.Context(), principal(c)
	codes, err := s.Factors.FinishApp(ctx, who, f.Get("setup"), f.Get("code"), f.Get("name"))
	if err != nil && fault.Is(err, fault.Invalid) {
		a, found := s.Factors.Setup(ctx, who, f.Get("setup"))
		s.app2(c, logged500(c, err), a, f.Get("name"), problemOf(err), found)
		return
	}
	s.added(c, codes, err)
}

// added goes on after a factor was added: to the recovery codes, if it was the first.
func (s *Server) added(c *gin.Context, codes []string, err error) {
	switch {
	case err == nil && codes != nil:
		s.showCodes(c, codes)
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/account/second-step")
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Conflict), fault.Is(err, fault.Gone):
		s.secondSteps(c, logged500(c, err), problemOf(err))
	default:
		failPage(c, err)
	}
}

func (s *Server) showCodes(c *gin.Context, codes []string) {
	render(c, http.StatusOK, "factor-codes", ui.Page{Title: "Recovery codes", Data: codes})
}

func (s *Server) passkeyForm(c *gin.Context) {
	if _, ok := s.stepped(c); !ok {
		return
	}
	a, err := s.Factors.BeginPasskey(c.Request.Context(), principal(c))
	if err != nil {
		s.added(c, nil, err)
		return
	}
	render(c, http.StatusOK, "factor-passkey", ui.Page{Title: "Set up a passkey", Data: map[string]any{"Setup": a.Secret.Reveal(), "Options": a.Options}})
}

func (s *Server) passkeyConfirmForm(c *gin.Context) {
	f, ok := s.stepped(c)
	if !ok {
		return
	}
	codes, err := s.Factors.FinishPasskey(c.Request.Context(), principal(c), f.Get("setup"), []byte(f.Get("answer")), f.Get("name"))
	s.added(c, codes, err)
}

func (s *Server) newCodesForm(c *gin.Context) {
	if _, ok := s.stepped(c); !ok {
		return
	}
	codes, err := s.Door.NewCodes(c.Request.Context(), principal(c))
	s.added(c, codes, err)
}

func (s *Server) removeFactorForm(c *gin.Context) {
	if _, ok := s.stepped(c); !ok {
		return
	}
	if err := s.Door.Remove(c.Request.Context(), principal(c), c.Param("id")); err != nil {
		s.added(c, nil, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/account/second-step?done=removed")
}

func (s *Server) endSessionForm(c *gin.Context) {
	if _, ok := fields(c); !ok {
		return
	}
	id := access.SessionID(c.Param("id"))
	if err := s.Own.End(c.Request.Context(), principal(c), id); err != nil && !fault.Is(err, fault.NotFound) {
		failPage(c, err)
		return
	}
	if id == principal(c).Session {
		takeCookie(c)
		c.Redirect(http.StatusSeeOther, "/sign-in?why=out")
		return
	}
	c.Redirect(http.StatusSeeOther, "/account?done=ended")
}

// Session is a session or token of one's own.
type Session struct {
	ID         access.SessionID `json:"id"`
	Kind       string           `json:"kind"`
	Name       string           `json:"name,omitempty"`
	Device     string           `json:"device,omitempty"`
	Scopes     string           `json:"scopes,omitempty"` // of a token, parted by spaces
	CreatedAt  time.Time        `json:"created_at"`
	LastSeenAt time.Time        `json:"last_seen_at"`
	ExpiresAt  time.Time        `json:"expires_at"`
	This       bool             `json:"this"`
}

func (s *Server) ownSessions(c *gin.Context) ([]Session, error) {
	all, err := s.Own.Sessions(c.Request.Context(), principal(c))
	out := make([]Session, 0, len(all))
	for _, n := range all {
		out = append(out, Session{n.ID, string(n.Kind), n.Name, n.Device, access.JoinScopes(n.Scopes), n.CreatedAt, n.LastSeenAt, n.ExpiresAt, n.ID == principal(c).Session})
	}
	return out, err
}

func (s *Server) listSessions(c *gin.Context) {
	out, err := s.ownSessions(c)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"sessions": out})
}

func (s *Server) endSession(c *gin.Context) {
	noContent(c, s.Own.End(c.Request.Context(), principal(c), access.SessionID(c.Param("id"))))
}

func (s *Server) resetFactors(c *gin.Context) {
	noContent(c, s.Staff.ResetFactors(c.Request.Context(), principal(c), access.PersonID(c.Param("id"))))
}

// halfOf gives the secret to go on with, if err says that a second step is needed.
func halfOf(err error) (string, bool) {
	var second *signin.SecondStep
	if !errors.As(err, &second) {
		return "", false
	}
	return second.Half.Reveal(), true
}
