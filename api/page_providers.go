package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/signin"
)

// awayName is the cookie of a browser that went to a provider to sign in. It is
// lax, since it must come along on the way back from there.
const awayName = "__Host-wardseal-away"

// goAway sends a browser to a provider. It follows a link and not a form, since
// the policy for content lets forms go nowhere else.
func goAway(c *gin.Context, g signin.Going) {
	keepAway(c, g)
	c.Redirect(http.StatusSeeOther, g.URL)
}

func keepAway(c *gin.Context, g signin.Going) {
	http.SetCookie(c.Writer, &http.Cookie{Name: awayName, Value: g.Browser.Reveal(), Path: "/", MaxAge: 600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (s *Server) awayPage(c *gin.Context) {
	g, err := s.Providers.Begin(c.Request.Context(), c.Param("provider"), local(c.Query("next")))
	if err != nil {
		s.signInAgain(c, local(c.Query("next")), err)
		return
	}
	goAway(c, g)
}

// awayStepUpPage has somebody prove once more who they are where they signed in.
func (s *Server) awayStepUpPage(c *gin.Context) {
	g, err := s.Providers.BeginStepUp(c.Request.Context(), principal(c), local(c.Query("next")))
	if err != nil {
		failPage(c, err)
		return
	}
	goAway(c, g)
}

// backPage is where a provider sends a browser back to. What it brings works
// once, and only in the browser that went.
func (s *Server) backPage(c *gin.Context) {
	kept, _ := c.Cookie(awayName)
	http.SetCookie(c.Writer, &http.Cookie{Name: awayName, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	a, err := s.Providers.Finish(c.Request.Context(), signin.Coming{
		Provider: c.Param("provider"), Browser: kept, Query: c.Request.URL.Query(), Device: deviceWords(c.Request.UserAgent()), Request: requestID(c)})
	switch {
	case err != nil && a.Next != "": // whoever went is signed in here
		failPage(c, err)
	case err != nil:
		s.signInAgain(c, "/", err)
	case a.Half != "":
		s.secondPage(c, http.StatusOK, a.Half.Reveal(), local(a.Next), nil)
	default:
		if a.Secret != "" {
			if err := s.giveSession(c, a.Secret.Reveal()); err != nil {
				s.signInAgain(c, local(a.Next), err)
				return
			}
		}
		c.Redirect(http.StatusSeeOther, local(a.Next))
	}
}

// endedElsewhere takes a provider's word that somebody signed out there. Its
// server asks, not a browser; the token that it brings proves who it is.
func (s *Server) endedElsewhere(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxForm)
	if err := c.Request.ParseForm(); err != nil {
		fail(c, fault.New(fault.Invalid, "form-wrong", "This form did not arrive whole.").With(err))
		return
	}
	if err := s.Providers.Ended(c.Request.Context(), c.Param("provider"), c.Request.PostForm.Get("logout_token"), requestID(c)); err != nil {
		e := fault.From(err)
		if e.Kind == fault.Invalid { // the standard's form of an error
			c.AbortWithStatusJSON(http.StatusBadRequest, gin.H{"error": "invalid_request", "error_description": e.Message})
			return
		}
		fail(c, err)
		return
	}
	c.Status(http.StatusOK)
}

// leave ends a session, and gives where it ends at the provider too.
func (s *Server) leave(c *gin.Context) (string, error) {
	there := s.Providers.Left(c.Request.Context(), principal(c))
	if err := s.Door.SignOut(c.Request.Context(), principal(c)); err != nil {
		return "", err
	}
	takeCookie(c)
	return there, nil
}

// signOutForm signs out here and, by a page that goes on by itself, where the
// person signed in: on a shared computer the next one would be them otherwise.
func (s *Server) signOutForm(c *gin.Context) {
	there, err := s.leave(c)
	if err != nil {
		failPage(c, err)
		return
	}
	if there == "" {
		c.Redirect(http.StatusSeeOther, "/sign-in?why=out")
		return
	}
	c.Set(keyPrincipal, nil) // nobody any more
	render(c, http.StatusOK, "signed-out", ui.Page{Title: "You have signed out", Data: there})
}

// linkIdentityForm goes to a provider to link who signs in there to one's
// account. It is a form of this site's own, so that no other site begins it,
// and goes on by a page, as signing out does.
func (s *Server) linkIdentityForm(c *gin.Context) {
	if _, ok := fields(c); !ok {
		return
	}
	g, err := s.Providers.BeginLink(c.Request.Context(), principal(c), c.Param("provider"))
	if err != nil {
		failPage(c, err)
		return
	}
	keepAway(c, g)
	render(c, http.StatusOK, "going", ui.Page{Title: "One moment", Data: g.URL})
}

func (s *Server) unlinkIdentityForm(c *gin.Context) {
	if _, ok := fields(c); !ok {
		return
	}
	if err := s.Providers.Unlink(c.Request.Context(), principal(c), c.Param("provider")); err != nil {
		failPage(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/account?done=unlinked")
}

// Identity is a provider, and whether one signs in there.
type Identity struct {
	Provider string `json:"provider"`
	Name     string `json:"name"`
	Linked   bool   `json:"linked"`
}

func (s *Server) listIdentities(c *gin.Context) {
	all, err := s.Providers.Linked(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Identity, 0, len(all))
	for _, l := range all {
		out = append(out, Identity{l.ID, l.Name, l.Yes})
	}
	c.JSON(http.StatusOK, gin.H{"identities": out})
}

func (s *Server) unlinkIdentity(c *gin.Context) {
	s.done(c, s.Providers.Unlink(c.Request.Context(), principal(c), c.Param("provider")))
}
