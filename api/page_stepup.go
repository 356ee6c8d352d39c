package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/signin"
)

// codeStepUp is the code of a refusal that asks for proof that it is still the
// same person.
const codeStepUp = "step-up-needed"

func (s *Server) stepUp(c *gin.Context) {
	var in struct {
		Password string `json:"password"`
		Code     string `json:"code"`
	}
	if !s.read(c, &in) {
		return
	}
	until, err := s.Door.StepUp(c.Request.Context(), principal(c), signin.Proof{Password: in.Password, Second: signin.SecondProof{Code: in.Code}})
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"stepped_up_until": until.UTC().Format(time.RFC3339Nano)})
}

// toStepUp sends somebody to prove who they are, and then back to where they
// were: what they were about to do, they do again there.
func toStepUp(c *gin.Context) {
	to := url.Values{"next": {c.Request.URL.RequestURI()}}
	if c.Request.Method != http.MethodGet {
		to.Set("next", "/")
		if back, err := url.Parse(c.GetHeader("Referer")); err == nil && back.Host == c.Request.Host {
			to.Set("next", local(back.RequestURI()))
		}
	}
	c.Redirect(http.StatusSeeOther, "/step-up?"+to.Encode())
	c.Abort()
}

func (s *Server) stepUpPage(c *gin.Context) {
	s.askProof(c, http.StatusOK, local(c.Query("next")), nil)
}

func (s *Server) askProof(c *gin.Context, status int, next string, problem *ui.Problem) {
	ctx, who := c.Request.Context(), principal(c)
	second, err := s.Factors.Overview(ctx, who)
	if err != nil {
		failPage(c, err)
		return
	}
	elsewhere, err := s.Providers.Of(ctx, who)
	if err != nil {
		failPage(c, err)
		return
	}
	if elsewhere.ID != "" {
		render(c, status, "step-up-elsewhere", ui.Page{Title: "Is it still you?", Problem: problem, Data: map[string]any{
			"Name": elsewhere.Name, "Next": next, "Minutes": int(signin.SteppedUpFor / time.Minute)}})
		return
	}
	var asked signin.Asked
	if asked, err = s.Factors.AskOwnPasskey(ctx, who); err != nil {
		failPage(c, err)
		return
	}
	render(c, status, "step-up", ui.Page{Title: "Is it still you?", Problem: problem, Data: map[string]any{
		"Second": len(second.Factors) > 0, "Options": asked.Options, "Asked": asked.Secret.Reveal(), "Next": next, "Username": principal(c).Person.Username, "Minutes": int(signin.SteppedUpFor / time.Minute)}})
}

func (s *Server) stepUpForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	next := local(f.Get("next"))
	_, err := s.Door.StepUp(c.Request.Context(), principal(c), signin.Proof{Password: f.Get("password"), Second: proofIn(f)})
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, next)
	case fault.Is(err, fault.Denied), fault.Is(err, fault.TooMany), fault.Is(err, fault.Gone):
		s.askProof(c, logged500(c, err), next, problemOf(err))
	default:
		failPage(c, err)
	}
}
