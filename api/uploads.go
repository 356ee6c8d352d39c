package api

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
)

// Uploads that can be resumed speak tus 1.0.0 (https://tus.io/protocols/resumable-upload)
// with its extensions creation, termination and expiration.
const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,termination,expiration"
	tusBody       = "application/offset+octet-stream"
	ageFile       = "application/x-age" // of corrections; there is no registered type
)

// IntakeTerms are what a phone needs to encrypt and send.
type IntakeTerms struct {
	Recipient    string `json:"recipient"` // age, hybrid
	Key          string `json:"key"`
	MaxBytes     int64  `json:"max_bytes"`      // of an upload, encrypted
	MaxFileBytes int64  `json:"max_file_bytes"` // of the photo or video in it
	ExpiresAfter int64  `json:"expires_after_seconds"`
}

// Outcome is how an upload that can be resumed ended, or how far it is.
type Outcome struct {
	State     string         `json:"state"`
	Bytes     int64          `json:"bytes"`
	Received  int64          `json:"received"`
	ExpiresAt *time.Time     `json:"expires_at,omitempty"`
	Item      media.ItemID   `json:"item,omitempty"`
	Repeated  bool           `json:"repeated,omitempty"`
	Receipt   *media.Receipt `json:"receipt,omitempty"`
	Problem   *Problem       `json:"problem,omitempty"`
}

func (s *Server) intakeTerms(c *gin.Context) {
	t, err := s.Intake.Terms(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, IntakeTerms{t.Recipient, t.Key, t.MaxBytes, t.MaxFile, int64(t.LiveFor / time.Second)})
}

// tus makes sure that both sides speak the same version.
func tus(c *gin.Context) {
	c.Header("Tus-Resumable", tusVersion)
	if c.Request.Method == http.MethodOptions || c.GetHeader("Tus-Resumable") == tusVersion {
		return
	}
	c.Header("Tus-Version", tusVersion)
	failAs(c, http.StatusPreconditionFailed, fault.New(fault.Invalid, "tus-version", "Send this request with the header Tus-Resumable: 1.0.0."))
}

func (s *Server) uploadOptions(c *gin.Context) {
	t, err := s.Intake.Terms(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	c.Header("Tus-Version", tusVersion)
	c.Header("Tus-Extension", tusExtensions)
	c.Header("Tus-Max-Size", strconv.FormatInt(t.MaxBytes, 10))
	c.Status(http.StatusNoContent)
}

// startUpload is tus's creation. Of the metadata only the phone's own name of
// the upload and its person are looked at, and nothing else of it is kept.
func (s *Server) startUpload(c *gin.Context) {
	size, ok := whole(c.GetHeader("Upload-Length"))
	if !ok {
		fail(c, fault.New(fault.Invalid, "upload-length", "Say how long the upload is in the header Upload-Length; it is known once it is encrypted."))
		return
	}
	entry, err := metadata(c.GetHeader("Upload-Metadata"), "entry")
	if err != nil {
		fail(c, fault.New(fault.Invalid, "upload-metadata", "The header Upload-Metadata cannot be read.").With(err))
		return
	}
	// What waited on a phone is not sent in the name of who has it now.
	if whose, err := metadata(c.GetHeader("Upload-Metadata"), "person"); err != nil || whose != "" && whose != string(principal(c).Person.ID) {
		fail(c, fault.New(fault.Denied, "upload-not-yours", "This was made by somebody else on this phone. It waits until they sign in again."))
		return
	}
	var corrections []byte
	if c.GetHeader("Content-Type") == ageFile {
		if corrections, err = io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxForm)); err != nil {
			fail(c, fault.New(fault.Invalid, "corrections-broken", "What was put right did not arrive whole. Send it again.").With(err))
			return
		}
	}
	u, err := s.Intake.Start(c.Request.Context(), principal(c), entry, size, corrections)
	if err != nil {
		fail(c, err)
		return
	}
	expires(c, u)
	c.Header("Location", "/api/v1/uploads/"+u.ID)
	c.Status(http.StatusCreated)
}

// whole reads a number of bytes: digits, and nothing else.
func whole(header string) (int64, bool) {
	if strings.Trim(header, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(header, 10, 64)
	return n, err == nil
}

// metadata finds a key in pairs of a name and a value in base64.
func metadata(header, key string) (string, error) {
	for pair := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		if name == key {
			b, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(value))
			return string(b), err
		}
	}
	return "", nil
}

func expires(c *gin.Context, u transfer.UploadState) {
	if u.State == "receiving" {
		c.Header("Upload-Expires", u.ExpiresAt.UTC().Format(http.TimeFormat))
	}
}

func (s *Server) uploadState(c *gin.Context) {
	u, err := s.Intake.State(c.Request.Context(), principal(c), c.Param("id"))
	if err == nil && u.Received < u.Bytes && u.State != "receiving" {
		err = fault.New(fault.Gone, "upload-ended", "This upload has ended. Its outcome says how.")
	}
	if err != nil {
		fail(c, err)
		return
	}
	expires(c, u)
	c.Header("Upload-Offset", strconv.FormatInt(u.Received, 10))
	c.Header("Upload-Length", strconv.FormatInt(u.Bytes, 10))
	c.Status(http.StatusOK)
}

func (s *Server) continueUpload(c *gin.Context) {
	if c.GetHeader("Content-Type") != tusBody {
		fail(c, fault.New(fault.Unsupported, "upload-type", "Send parts of an upload as "+tusBody+"."))
		return
	}
	at, ok := whole(c.GetHeader("Upload-Offset"))
	if !ok {
		fail(c, fault.New(fault.Invalid, "upload-offset-form", "Say where this part starts in the header Upload-Offset."))
		return
	}
	control := http.NewResponseController(c.Writer)
	body := &cuttable{unhurried: &unhurried{ReadCloser: c.Request.Body, c: control, idle: s.cfg.ReadIdleFor}}
	u, err := s.Intake.Append(c.Request.Context(), principal(c), c.Param("id"), at, body, body.cut)
	answerable(c)
	if err != nil {
		c.Header("Connection", "close") // the rest of the body is not wanted
		fail(c, err)
		return
	}
	expires(c, u)
	c.Header("Upload-Offset", strconv.FormatInt(u.Received, 10))
	c.Status(http.StatusNoContent)
}

// answerable gives a response time of its own, however long the request took:
// the server counts its write timeout from the request's first line.
func answerable(c *gin.Context) {
	if err := http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		slog.DebugContext(c.Request.Context(), "move a write deadline", "error", err)
	}
}

// cuttable is a body that somebody else can end.
type cuttable struct {
	*unhurried
	until atomic.Int64 // when it ends, in nanoseconds since 1970; 0 until it is cut
}

// drainFor is how long a cut body may still give what has arrived already.
const drainFor = time.Second

func (b *cuttable) cut() {
	until := time.Now().Add(drainFor)
	if b.until.CompareAndSwap(0, until.UnixNano()) {
		_ = b.c.SetReadDeadline(until) // where there are no deadlines, it ends with its next read
	}
}

var errCut = errors.New("the upload goes on in another request")

// Read implements io.Reader. The deadline is moved before looking whether the
// body was cut, so that a cut in between is not undone.
func (b *cuttable) Read(p []byte) (int, error) {
	if b.until.Load() == 0 {
		if err := b.wait(); err != nil {
			return 0, err
		}
	}
	if n := b.until.Load(); n != 0 {
		until := time.Unix(0, n)
		if !time.Now().Before(until) {
			return 0, errCut
		}
		_ = b.c.SetReadDeadline(until)
	}
	return b.ReadCloser.Read(p)
}

func (s *Server) removeUpload(c *gin.Context) {
	if err := s.Intake.Remove(c.Request.Context(), principal(c), c.Param("id")); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// uploadOutcome can be asked for long after the upload: a phone that lost its
// signal in that very moment learns what came of it.
func (s *Server) uploadOutcome(c *gin.Context) {
	ctx := c.Request.Context()
	u, err := s.Intake.Outcome(ctx, principal(c), c.Param("id"))
	answerable(c)
	if err != nil {
		fail(c, err)
		return
	}
	out := Outcome{State: u.State, Bytes: u.Bytes, Received: u.Received, Item: u.Item, Repeated: u.Repeated}
	if u.State == "receiving" {
		out.ExpiresAt = at(u.ExpiresAt)
	}
	if u.Problem != nil {
		p := problemFor(c, u.Problem)
		out.Problem = &p
	}
	if u.Item != "" {
		if out.Receipt, err = s.receiptOf(ctx, c, u.Item); err != nil {
			fail(c, err)
			return
		}
	}
	c.JSON(http.StatusOK, out)
}

// receiptOf gives the receipt to who may see the item now; to others the
// outcome says that it was filed, and no more.
func (s *Server) receiptOf(ctx context.Context, c *gin.Context, id media.ItemID) (*media.Receipt, error) {
	v, err := s.Items.Describe(ctx, principal(c), id)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v.Receipt, nil
}
