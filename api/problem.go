package api

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/fault"
)

// Problem is the body of every error response (RFC 9457). Code is a stable
// slug to branch on; Detail is for people; Field names the form field at
// fault, if there is one.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Code     string `json:"code"`
	Field    string `json:"field,omitempty"`
	Instance string `json:"instance,omitempty"` // the request's identifier, to quote when asking for help
}

// statuses is the one map from kinds of fault to HTTP.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.Gone:            http.StatusGone,
	fault.TooMany:         http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Full:            http.StatusInsufficientStorage,
}

// fail answers with the problem that err is, logs what the client is not
// told, and ends the request's handling.
func fail(c *gin.Context, err error) {
	e := fault.From(err)
	noteGuess(c, err)
	status := statuses[e.Kind]
	if status >= 500 && !clientGone(c, err) {
		slog.ErrorContext(c.Request.Context(), "request failed", "request", requestID(c), "route", c.FullPath(), "code", e.Code, "error", err)
	}
	if e.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(float64(e.RetryAfter)/float64(time.Second)))))
	}
	if status == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", `Bearer realm="wardseal"`)
	}
	failAs(c, status, e)
}

// failAs answers with a problem under a status that is not its kind's own.
func failAs(c *gin.Context, status int, e *fault.Error) {
	c.Header("Content-Type", "application/problem+json")
	c.Header("Cache-Control", "no-store")
	p := problemFor(c, e)
	p.Status, p.Title = status, http.StatusText(status)
	c.AbortWithStatusJSON(status, p)
}

// problemFor is the body that says what e is.
func problemFor(c *gin.Context, e *fault.Error) Problem {
	status := statuses[e.Kind]
	detail, _ := e.Message.In(languageOf(c))
	return Problem{
		Type: "https://wardseal.example/problems/" + e.Code, Title: http.StatusText(status), Status: status,
		Detail: detail, Code: e.Code, Field: e.Field, Instance: "urn:request:" + requestID(c),
	}
}

func clientGone(c *gin.Context, err error) bool {
	return c.Request.Context().Err() != nil && errors.Is(err, c.Request.Context().Err())
}
