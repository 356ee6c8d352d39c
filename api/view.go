package api

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
)

func (s *Server) showItem(c *gin.Context) {
	s.show(c, func(r media.Rendition, wanted transfer.Span, shown bool) (*transfer.Content, error) {
		return s.Views.Item(c.Request.Context(), principal(c), media.ItemID(c.Param("id")), r, wanted, shown)
	})
}

func (s *Server) showGrant(c *gin.Context) {
	s.show(c, func(r media.Rendition, wanted transfer.Span, shown bool) (*transfer.Content, error) {
		return s.Views.Grant(c.Request.Context(), principal(c), link.GrantID(c.Param("id")), r, wanted, shown)
	})
}

type opener func(r media.Rendition, wanted transfer.Span, shown bool) (*transfer.Content, error)

func (s *Server) show(c *gin.Context, open opener) {
	r := media.Rendition(c.Param("rendition"))
	if !r.Valid() {
		fail(c, fault.New(fault.NotFound, "rendition-unknown", "There is no such form of a picture."))
		return
	}
	content, err := open(r, span(c.GetHeader("Range")), c.Request.Method == http.MethodGet)
	if err != nil {
		fail(c, err)
		return
	}
	serve(c, content)
}

// serve sends a rendition with ranges and conditions (RFC 9110 sections 13 and
// 14). If reading fails on the way, the connection is cut: half a picture must
// not pass for a whole one.
func serve(c *gin.Context, content *transfer.Content) {
	defer content.Close()
	h := c.Writer.Header()
	h.Set("Content-Type", content.MediaType)
	h.Set("Content-Disposition", "inline")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("ETag", content.ETag)
	h.Set("Cache-Control", "private, no-store")
	// Another unit is passed over, and so are more pieces than any viewer wants,
	// each of which would be fetched by itself (RFC 9110, section 14.2).
	if r := c.GetHeader("Range"); !strings.HasPrefix(r, "bytes=") || strings.Count(r, ",") >= maxRanges {
		c.Request.Header.Del("Range")
	}
	watched := &watch{ReadSeeker: content, c: http.NewResponseController(c.Writer)}
	out := &outflow{ResponseWriter: c.Writer}
	http.ServeContent(out, c.Request, "", content.FiledAt, watched)
	if out.noRange {
		failAs(c, http.StatusRequestedRangeNotSatisfiable, fault.New(fault.Invalid, "range-wrong", "There are no such bytes. Ask for a range within the length of this, or leave it out."))
	}
	if watched.err != nil {
		fail(c, watched.err) // only logs: the status has been sent
		panic(http.ErrAbortHandler)
	}
}

// maxRanges is how many pieces one answer may have.
const maxRanges = 16

// outflow sends in larger pieces than http.ServeContent does by itself, and
// leaves it to others to say that a range is wrong.
type outflow struct {
	http.ResponseWriter
	noRange bool
}

// WriteHeader implements http.ResponseWriter.
func (o *outflow) WriteHeader(status int) {
	if o.noRange = status == http.StatusRequestedRangeNotSatisfiable; !o.noRange {
		o.ResponseWriter.WriteHeader(status)
	}
}

// Write implements io.Writer.
func (o *outflow) Write(p []byte) (int, error) {
	if o.noRange {
		return len(p), nil
	}
	return o.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom.
func (o *outflow) ReadFrom(r io.Reader) (int64, error) {
	b := pieces.Get().(*piece)
	defer func() { clear(b[:]); pieces.Put(b) }()
	return io.CopyBuffer(struct{ io.Writer }{o.ResponseWriter}, struct{ io.Reader }{r}, b[:])
}

// A piece is how much is given to a connection at once. It is used again, wiped.
type piece [256 << 10]byte

var pieces = sync.Pool{New: func() any { return new(piece) }}

// writeIdle is how long a viewer may take to accept one read's worth of bytes.
const writeIdle = time.Minute

// watch remembers a failed read, and moves the write deadline on with every
// read so that a slow viewer may take its time and a stuck one may not.
type watch struct {
	io.ReadSeeker
	c   *http.ResponseController
	err error
}

func (w *watch) Read(p []byte) (int, error) {
	_ = w.c.SetWriteDeadline(time.Now().Add(writeIdle)) // not every ResponseWriter has deadlines
	n, err := w.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// span is the range that a single-range request asks for. Anything else gives
// the zero Span: it is only a hint, and http.ServeContent is what decides.
func span(header string) transfer.Span {
	if header == "" {
		return transfer.Span{Len: 1 << 62}
	}
	spec, ok := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return transfer.Span{}
	}
	a, err1 := strconv.ParseInt(from, 10, 64)
	b, err2 := strconv.ParseInt(to, 10, 64)
	if err1 != nil || a < 0 {
		return transfer.Span{}
	}
	if to == "" {
		return transfer.Span{Off: a, Len: 1 << 62}
	}
	if err2 != nil || b < a {
		return transfer.Span{}
	}
	return transfer.Span{Off: a, Len: b - a + 1}
}
