package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/transfer"
)

// maxJSON bounds the body of a JSON request.
const maxJSON = 64 << 10

// read decodes a JSON request into v, or answers with what is wrong with it.
// Unknown fields are refused: a misspelt one would otherwise be ignored.
func (s *Server) read(c *gin.Context, v any) bool {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != "application/json" {
		fail(c, fault.New(fault.Unsupported, "not-json", "Send this request as application/json."))
		return false
	}
	text, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxJSON))
	if err == nil && illegible(text) {
		fail(c, transfer.ErrIllegible)
		return false
	}
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		err = d.Decode(v)
		if err == nil {
			if _, more := d.Token(); !errors.Is(more, io.EOF) {
				err = errors.New("more than one value")
			}
		}
	}
	if err == nil {
		return true
	}
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		fail(c, fault.New(fault.TooLarge, "json-too-large", "This request is too large.").With(err))
		return false
	}
	fail(c, fault.New(fault.Invalid, "json-wrong", "This request is not the JSON that is expected here. See /api/v1/openapi.json.").With(err))
	return false
}
