package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
)

const (
	keyRequest   = "request"
	keyPrincipal = "principal"
	// cookieName has the prefix that makes browsers insist on Secure, no
	// Domain and Path=/ (RFC 6265bis section 4.1.3.2).
	cookieName = "__Host-wardseal"
)

func requestID(c *gin.Context) string { return c.GetString(keyRequest) }

// identify names the request. What a client sends is not believed.
func identify(c *gin.Context) {
	id := uuid.Must(uuid.NewV7()).String()
	c.Set(keyRequest, id)
	c.Header("X-Request-Id", id)
}

// logged writes one line a request: the route's pattern, never its path, query or body.
func logged(c *gin.Context) {
	started := time.Now()
	c.Next()
	slog.InfoContext(c.Request.Context(), "request", "request", requestID(c), "method", c.Request.Method, "route", c.FullPath(),
		"status", c.Writer.Status(), "bytes", max(c.Writer.Size(), 0), "took", time.Since(started).Round(time.Microsecond))
}

// recovered turns a panic into a problem; the connection of an aborted
// response is cut as net/http means it to be.
func recovered(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p)
		}
		slog.ErrorContext(c.Request.Context(), "panic", "request", requestID(c), "route", c.FullPath(), "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		fail(c, fault.From(fmt.Errorf("panic of type %T", p)))
	}()
	c.Next()
}

// hardened sets the headers that every response has.
func hardened(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "+
		// Text becomes no page and no program but through these; see api/ui/src/trusted.ts.
		"require-trusted-types-for 'script'; trusted-types wardseal default")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	h.Set("Cache-Control", "no-store")
	if c.Request.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
}

var crossOrigin = http.NewCrossOriginProtection()

// sameSite refuses a browser's cross-site request that is not a plain read
// (Fetch Metadata, with Origin as the fallback).
func sameSite(c *gin.Context) {
	if err := crossOrigin.Check(c.Request); err != nil {
		fail(c, fault.New(fault.Denied, "cross-site", "This request came from another site and was refused.").With(err))
	}
}

// signedIn resolves who asks, from a bearer token or the session cookie, on
// every request anew: somebody suspended a moment ago is nobody now.
func (s *Server) signedIn(c *gin.Context) {
	scheme, secret, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") { // in whatever case (RFC 9110, section 11.1)
		secret, _ = c.Cookie(cookieName)
	}
	who, _, err := s.Door.Recognise(c.Request.Context(), secret, requestID(c))
	if err != nil {
		fail(c, err)
		return
	}
	c.Set(keyPrincipal, who)
}

// principal is who asks. Only routes behind signedIn have one; elsewhere it is
// nobody, who may do nothing.
func principal(c *gin.Context) access.Principal {
	who, _ := c.Value(keyPrincipal).(access.Principal)
	return who
}

func noRoute(c *gin.Context) {
	err := fault.New(fault.NotFound, "no-such-page", "There is no such page. Check the address.")
	if strings.Contains(c.GetHeader("Accept"), "text/html") && !inAPI(c) {
		failPage(c, err)
		return
	}
	fail(c, err)
}

// inAPI reports whether a program asks, and no page.
func inAPI(c *gin.Context) bool { return strings.HasPrefix(c.Request.URL.Path, "/api/") }

func noMethod(c *gin.Context) {
	e := Problem{Type: "https://wardseal.example/problems/method", Title: http.StatusText(http.StatusMethodNotAllowed), Status: http.StatusMethodNotAllowed,
		Detail: "This address does not take this method.", Code: "method", Instance: "urn:request:" + requestID(c)}
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(http.StatusMethodNotAllowed, e)
}
