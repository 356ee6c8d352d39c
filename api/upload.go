package api

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/transfer"
)

// formRoom is what an upload may send besides the file itself.
const formRoom = 1 << 20

// readBytes is how much is asked of a connection at once.
const readBytes = 128 << 10

// upload receives multipart/form-data as a stream: nothing is held back on
// disk in the clear, and what is over the limit is refused before it is read.
func (s *Server) upload(c *gin.Context) {
	if c.Request.ContentLength > s.cfg.MaxBytes+formRoom {
		c.Header("Connection", "close") // the rest of the body is not wanted
		fail(c, s.Uploads.RefuseTooLarge(c.Request.Context(), principal(c)))
		return
	}
	kind, params, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		fail(c, fault.New(fault.Unsupported, "not-a-form", "Send the picture and its details as multipart/form-data."))
		return
	}
	body := &unhurried{ReadCloser: http.MaxBytesReader(c.Writer, c.Request.Body, s.cfg.MaxBytes+formRoom), c: http.NewResponseController(c.Writer), idle: s.cfg.ReadIdleFor}
	// mime/multipart reads 4 KiB at a time, which would be a system call each.
	form := &form{parts: multipart.NewReader(bufio.NewReaderSize(transfer.Bounded(body), readBytes), params["boundary"]), tooLarge: s.Uploads.TooLarge(), key: c.GetHeader("Idempotency-Key")}
	filed, err := s.Uploads.Upload(c.Request.Context(), principal(c), form)
	answerable(c)
	if err != nil {
		fail(c, err)
		return
	}
	status := http.StatusCreated
	if filed.Repeated {
		status = http.StatusOK
	}
	c.Header("Location", "/api/v1/items/"+string(filed.Item.ID))
	c.JSON(status, Filing{Item: item(filed.Item), Receipt: filed.Receipt, Repeated: filed.Repeated})
}

// form gives a multipart body to the flow, part by part, and the
// Idempotency-Key header as if it were a field.
type form struct {
	parts    *multipart.Reader
	tooLarge error
	key      string
}

// Next implements transfer.Form.
func (f *form) Next() (string, io.Reader, error) {
	if f.key != "" {
		key := f.key
		f.key = ""
		return "idempotency_key", strings.NewReader(key), nil
	}
	p, err := f.parts.NextRawPart()
	if err != nil {
		return "", nil, f.explain(err)
	}
	return p.FormName(), reading{p, f}, nil
}

func (f *form) explain(err error) error {
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		return f.tooLarge
	}
	return err
}

// reading explains errors of a part's content as form does.
type reading struct {
	r io.Reader
	f *form
}

func (r reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = r.f.explain(err)
	}
	return n, err
}

// unhurried moves the read deadline on with every read, so that a slow phone
// may take its time and a silent one may not.
type unhurried struct {
	io.ReadCloser
	c    *http.ResponseController
	idle time.Duration
}

func (p *unhurried) Read(b []byte) (int, error) {
	if err := p.wait(); err != nil {
		return 0, err
	}
	return p.ReadCloser.Read(b)
}

// wait lets the next read take its time.
func (p *unhurried) wait() error {
	// Not every ResponseWriter has deadlines (those of tests do not).
	if err := p.c.SetReadDeadline(time.Now().Add(p.idle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
