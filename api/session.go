package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/signin"
)

// Person is a member of staff as colleagues see one.
type Person struct {
	ID        access.PersonID `json:"id"`
	Username  string          `json:"username,omitempty"` // to oneself and administrators
	Name      string          `json:"name"`
	Role      access.Role     `json:"role"`
	Suspended bool            `json:"suspended,omitempty"`
}

// Me is who is signed in.
type Me struct {
	Person Person          `json:"person"`
	Teams  []access.TeamID `json:"teams"`
}

func me(who access.Principal) Me {
	p := who.Person
	teams := who.Teams
	if teams == nil {
		teams = []access.TeamID{}
	}
	return Me{Person{ID: p.ID, Username: p.Username, Name: p.Name, Role: p.Role}, teams}
}

func (s *Server) signIn(c *gin.Context) {
	var in struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Code     string `json:"code"`
	}
	if !s.read(c, &in) {
		return
	}
	cred := signin.Credentials{Username: in.Username, Password: in.Password, Code: in.Code, Device: deviceWords(c.Request.UserAgent())}
	secret, _, err := s.Door.SignIn(c.Request.Context(), cred, requestID(c))
	if err != nil {
		fail(c, err)
		return
	}
	who, _, err := s.Door.Recognise(c.Request.Context(), secret.Reveal(), requestID(c)) // with teams
	if err != nil {
		fail(c, err)
		return
	}
	if err := s.giveSession(c, secret.Reveal()); err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, me(who))
}

// giveSession gives a browser its new session, and ends the one it had.
func (s *Server) giveSession(c *gin.Context, secret string) error {
	if old, err := c.Cookie(cookieName); err == nil {
		if err := s.Door.Supersede(c.Request.Context(), old, requestID(c)); err != nil {
			return err
		}
	}
	http.SetCookie(c.Writer, &http.Cookie{Name: cookieName, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return nil
}

// takeCookie ends what the browser keeps of a session.
func takeCookie(c *gin.Context) {
	http.SetCookie(c.Writer, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	// Not "storage": pictures that wait to be sent, encrypted to the server,
	// wait there for their person.
	c.Header("Clear-Site-Data", `"cache"`)
}

func (s *Server) whoAmI(c *gin.Context) { c.JSON(http.StatusOK, me(principal(c))) }

func (s *Server) signOut(c *gin.Context) {
	if _, err := s.leave(c); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (s *Server) changePassword(c *gin.Context) {
	var in struct {
		Present string `json:"present_password"`
		Next    string `json:"password"`
	}
	if !s.read(c, &in) {
		return
	}
	if err := s.Own.ChangePassword(c.Request.Context(), principal(c), in.Present, in.Next); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (s *Server) showEmail(c *gin.Context) {
	email, err := s.Own.Email(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"email": email})
}

func (s *Server) setEmail(c *gin.Context) {
	var in struct {
		Email string `json:"email"`
	}
	if !s.read(c, &in) {
		return
	}
	if err := s.Own.SetEmail(c.Request.Context(), principal(c), in.Email); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// Token is an API token without its secret, which is shown once, when minted.
type Token struct {
	ID        access.SessionID `json:"id"`
	Name      string           `json:"name"`
	Scopes    []access.Scope   `json:"scopes"`
	Secret    string           `json:"secret,omitempty"`
	CreatedAt *time.Time       `json:"created_at,omitempty"`
	ExpiresAt *time.Time       `json:"expires_at,omitempty"`
}

func (s *Server) listTokens(c *gin.Context) {
	tokens, err := s.Own.Tokens(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Token, 0, len(tokens))
	for _, t := range tokens {
		out = append(out, Token{ID: t.ID, Name: t.Name, Scopes: scopesOf(t.Scopes), CreatedAt: at(t.CreatedAt), ExpiresAt: at(t.ExpiresAt)})
	}
	c.JSON(http.StatusOK, gin.H{"tokens": out})
}

func (s *Server) mintToken(c *gin.Context) {
	var in struct {
		Name       string         `json:"name"`
		Scopes     []access.Scope `json:"scopes"`
		TTLSeconds int64          `json:"ttl_seconds"`
	}
	if !s.read(c, &in) {
		return
	}
	liveFor, ok := seconds(in.TTLSeconds)
	if !ok {
		liveFor = -1 // the flow says what is wrong with it
	}
	secret, t, err := s.Own.MintToken(c.Request.Context(), principal(c), in.Name, in.Scopes, liveFor)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, Token{ID: t.ID, Name: t.Name, Scopes: scopesOf(t.Scopes), Secret: secret.Reveal()})
}

// scopesOf is a list for JSON, also when it is empty.
func scopesOf(s []access.Scope) []access.Scope { return append([]access.Scope{}, s...) }

func (s *Server) revokeToken(c *gin.Context) {
	if err := s.Own.RevokeToken(c.Request.Context(), principal(c), access.SessionID(c.Param("id"))); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// at is a time for JSON, and absent when it is zero.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// seconds turns a count of seconds into a duration, unless it would overflow.
func seconds(n int64) (time.Duration, bool) {
	if n < 0 || n > int64(10*365*24*time.Hour/time.Second) {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}
