package api

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/internal/words"
)

// signInView is the sign-in page: what was typed, and where else one may sign in.
type signInView struct {
	Username, Next string
	Elsewhere      []signin.Choice
}

func (s *Server) signInView(username, next string) signInView {
	return signInView{username, next, s.Providers.Choices()}
}

func (s *Server) signInPage(c *gin.Context) {
	p := ui.Page{Title: "Sign in", Data: s.signInView("", local(c.Query("next")))}
	switch c.Query("why") {
	case "ended":
		p.Notice = "You were signed out, because nothing was done for a while or the session was over. Sign in again and you go on where you were."
	case "out":
		p.Notice = "You have signed out."
	case "password":
		p.Notice = "Your password is changed. Sign in with the new one."
	}
	render(c, http.StatusOK, "sign-in", p)
}

func (s *Server) signInForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	next := local(f.Get("next"))
	cred := signin.Credentials{Username: f.Get("username"), Password: f.Get("password"), Device: deviceWords(c.Request.UserAgent())}
	secret, _, err := s.Door.SignIn(c.Request.Context(), cred, requestID(c))
	if half, ok := halfOf(err); ok {
		s.secondPage(c, http.StatusOK, half, next, nil)
		return
	}
	if err != nil {
		p := ui.Page{Title: "Sign in", Problem: problemOf(err), Data: s.signInView(f.Get("username"), next)}
		p.Problem.Field = "username"
		render(c, logged500(c, err), "sign-in", p)
		return
	}
	if err := s.giveSession(c, secret.Reveal()); err != nil {
		s.signInAgain(c, next, err)
		return
	}
	c.Redirect(http.StatusSeeOther, next)
}

// accountDone says what was done; the address carries only its name.
var accountDone = map[string]words.Text{"ended": "It is ended.", "linked": "They are linked. From now on you can sign in there as well.", "unlinked": "They are not linked any more. You sign in here with your password."}

func (s *Server) accountPage(c *gin.Context) { s.account(c, http.StatusOK, nil) }

func (s *Server) account(c *gin.Context, status int, problem *ui.Problem) {
	mine, _, err := s.teams(c)
	if err != nil {
		failPage(c, err)
		return
	}
	email, err := s.Own.Email(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	sessions, err := s.ownSessions(c)
	if err != nil {
		failPage(c, err)
		return
	}
	elsewhere, err := s.Providers.Of(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	linked, err := s.Providers.Linked(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	second, err := s.Factors.Overview(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	if typed, ok := c.Get("email"); ok {
		email, _ = typed.(string)
	}
	key, err := s.Pushes.Key(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	p := ui.Page{Title: "Your account", Problem: problem, Data: map[string]any{
		"Me": principal(c).Person, "Role": roleName(principal(c).Person.Role), "Teams": mine, "Email": email, "Mails": s.cfg.Mails, "Sessions": sessions, "Second": second, "Push": key, "Elsewhere": elsewhere.Name, "Linked": linked}}
	if c.Query("done") != "" && problem == nil {
		p.Notice = "Your e-mail address is kept."
		if said, ok := accountDone[c.Query("done")]; ok {
			p.Notice = said
		}
	}
	render(c, status, "account", p)
}

func (s *Server) passwordForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	if err := s.Own.ChangePassword(c.Request.Context(), principal(c), f.Get("present_password"), f.Get("password")); err != nil {
		if principal(c).FirstPassword {
			s.first(c, logged500(c, err), problemOf(err))
			return
		}
		s.account(c, logged500(c, err), problemOf(err))
		return
	}
	c.Redirect(http.StatusSeeOther, "/sign-in?"+url.Values{"why": {"password"}}.Encode()) // every session has ended
}

func (s *Server) emailForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	err := s.Own.SetEmail(c.Request.Context(), principal(c), f.Get("email"))
	if err != nil {
		c.Set("email", f.Get("email"))
		s.account(c, logged500(c, err), problemOf(err))
		return
	}
	c.Redirect(http.StatusSeeOther, "/account?done=yes")
}

// firstPage has somebody choose a password of their own for the one that
// somebody else chose. It is all that is open to them until then.
func (s *Server) firstPage(c *gin.Context) {
	if !principal(c).FirstPassword {
		c.Redirect(http.StatusSeeOther, "/account")
		return
	}
	s.first(c, http.StatusOK, nil)
}

func (s *Server) first(c *gin.Context, status int, problem *ui.Problem) {
	render(c, status, "first-password", ui.Page{Title: "Choose your password", Problem: problem, Data: principal(c).Person.Username})
}

// ticketPage is where people choose a password with a ticket. It is the same
// for everybody: the part of the address after the # sign is put into its form
// by script, so that whoever only fetches an address, as previews do, learns
// nothing and uses nothing up.
func (s *Server) ticketPage(c *gin.Context) {
	render(c, http.StatusOK, "choose-password", ui.Page{Title: "Choose your password", Data: ""})
}

func (s *Server) ticketForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	err := s.Tickets.Use(c.Request.Context(), f.Get("secret"), f.Get("password"), requestID(c))
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/sign-in?"+url.Values{"why": {"password"}}.Encode())
	case fault.Is(err, fault.Invalid):
		render(c, logged500(c, err), "choose-password", ui.Page{Title: "Choose your password", Problem: problemOf(err), Data: f.Get("secret")})
	default:
		failPage(c, err)
	}
}
