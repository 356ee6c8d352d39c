package api

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
)

const (
	keyLanguage = "language"
	// languageCookie keeps what somebody chose. It says nothing else of them.
	languageCookie = "__Host-wardseal-language"
)

// language resolves in which language whoever asks reads: what they chose, and
// otherwise the first of their browser's that there is.
func (s *Server) language(c *gin.Context) {
	chosen, _ := c.Cookie(languageCookie)
	l := s.cfg.Languages.Named(chosen)
	if l == nil {
		l = s.cfg.Languages.Wanted(c.GetHeader("Accept-Language"))
	}
	c.Set(keyLanguage, l)
}

// languageOf is the language of a request; nil is English.
func languageOf(c *gin.Context) *ui.Language {
	l, _ := c.Value(keyLanguage).(*ui.Language)
	return l
}

// languageForm keeps the language that somebody chose, and goes back.
func (s *Server) languageForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	if l := s.cfg.Languages.Named(f.Get("language")); l != nil {
		http.SetCookie(c.Writer, &http.Cookie{Name: languageCookie, Value: l.Tag, Path: "/", MaxAge: 365 * 24 * 3600, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	next := f.Get("next")
	if u, err := url.Parse(next); err == nil && u.Path == "/sign-in" {
		next = "/sign-in?" + url.Values{"next": {local(u.Query().Get("next"))}}.Encode()
	} else {
		next = local(next)
	}
	c.Redirect(http.StatusSeeOther, next)
}

// here is where a page can be found again: its own address or, for what a form
// answered, that of the form.
// It is empty where the address has a secret part, which nothing brings back.
func here(c *gin.Context) string {
	switch c.FullPath() {
	case "/l", "/invited":
		return ""
	}
	if c.Request.Method == http.MethodGet {
		return c.Request.URL.RequestURI()
	}
	return "/" + fromHere(c)
}
