package api

import (
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

func (s *Server) latestCheckpoint(c *gin.Context) {
	signed, err := s.Account.Checkpoint(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	c.Data(http.StatusOK, "text/plain; charset=utf-8", signed)
}

// Proof is a proof of the audit tree. Hashes are in base64.
type Proof struct {
	Seq      int64    `json:"seq,omitempty"`
	From     int64    `json:"from,omitempty"`
	Size     int64    `json:"size"`
	Leaf     string   `json:"leaf,omitempty"`
	FromRoot string   `json:"from_root,omitempty"`
	Root     string   `json:"root"`
	Proof    []string `json:"proof"`
}

func hash(h audit.Hash) string { return base64.StdEncoding.EncodeToString(h[:]) }

func hashes(all []audit.Hash) []string {
	out := make([]string, 0, len(all))
	for _, h := range all {
		out = append(out, hash(h))
	}
	return out
}

func (s *Server) proveEvent(c *gin.Context) {
	size := 0
	if !number(c, "size", 1, 1<<52, &size) {
		return
	}
	seq, err := strconv.ParseInt(c.Param("seq"), 10, 64)
	if err != nil {
		seq = 0 // which no event has
	}
	p, err := s.Account.Inclusion(c.Request.Context(), principal(c), seq, int64(size))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Proof{Seq: p.Seq, Size: p.Size, Leaf: hash(p.Leaf), Root: hash(p.Root), Proof: hashes(p.Proof)})
}

func (s *Server) proveConsistency(c *gin.Context) {
	from, to := 0, 0
	if !number(c, "from", 1, 1<<52, &from) || !number(c, "to", 1, 1<<52, &to) {
		return
	}
	p, err := s.Account.Consistency(c.Request.Context(), principal(c), int64(from), int64(to))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, Proof{From: p.From, Size: p.To, FromRoot: hash(p.FromRoot), Root: hash(p.ToRoot), Proof: hashes(p.Proof)})
}

// Told is an audit event with the sentence that people read.
type Told struct {
	audit.Event
	Says words.Text `json:"says"`
}

// namesOf says what the identifiers of staff and teams stand for.
func (s *Server) namesOf(c *gin.Context) (audit.Names, error) {
	people, teams, err := s.names(c)
	return names{people, teams}.said(), err
}

// question reads a question from the address, or answers what is wrong.
func question(c *gin.Context) (transfer.Question, bool) {
	q := transfer.Question{Patient: media.PatientID(c.Query("patient")), Person: access.PersonID(c.Query("person")), Link: link.ID(c.Query("link")), All: c.Query("all") == "true", Limit: 100}
	after := 0
	ok := number(c, "limit", 1, 500, &q.Limit) && number(c, "after", 1, 1<<52, &after) && moment(c, "from", &q.From) && moment(c, "to", &q.To)
	q.After = int64(after)
	return q, ok
}

func (s *Server) answerQuestion(c *gin.Context) {
	q, ok := question(c)
	if !ok {
		return
	}
	events, more, err := s.Account.Answer(c.Request.Context(), principal(c), q)
	if err != nil {
		fail(c, err)
		return
	}
	names, err := s.namesOf(c)
	if err != nil {
		fail(c, err)
		return
	}
	told := make([]Told, 0, len(events))
	for _, e := range events {
		told = append(told, Told{e, e.Sentence(names)})
	}
	page := gin.H{"events": told}
	if more {
		page["next"] = events[len(events)-1].Seq
	}
	c.JSON(http.StatusOK, page)
}

// exportAudit streams the events of a search, or those that answer a question
// when one is asked with about=yes.
func (s *Server) exportAudit(c *gin.Context) { s.export(c, fail) }

// exportAuditPage is the same for people, who are asked for proof by a page.
func (s *Server) exportAuditPage(c *gin.Context) { s.export(c, failPage) }

func (s *Server) export(c *gin.Context, fail func(*gin.Context, error)) {
	f := transfer.EventFilter{Type: audit.Type(c.Query("type")), Item: media.ItemID(c.Query("item"))}
	if f.Item != "" && !media.ValidID(string(f.Item)) {
		fail(c, fault.New(fault.Invalid, "filter-wrong", "This filter takes an identifier that this server gave out.").In("item"))
		return
	}
	q, ok := question(c)
	if !ok {
		return
	}
	if q.Patient != "" || q.Person != "" || q.Link != "" {
		asked, err := q.Filter()
		if err != nil {
			fail(c, err)
			return
		}
		asked.Type, asked.Item = f.Type, f.Item
		f = asked
	}
	f.From, f.To = q.From, q.To
	out, err := s.Account.Export(c.Request.Context(), principal(c), f, transfer.Format(c.Query("format")))
	if err != nil {
		fail(c, err)
		return
	}
	names, err := s.namesOf(c)
	if err != nil {
		fail(c, err)
		return
	}
	download(c, out.Format.MediaType(), "audit."+map[transfer.Format]string{transfer.JSONLines: "jsonl", transfer.CSV: "csv", transfer.FHIR: "json"}[out.Format])
	if err := out.Write(c.Request.Context(), &outgoing{c.Writer, http.NewResponseController(c.Writer)}, names, s.cfg.PublicURL); err != nil {
		cut(c, err)
	}
}

// download announces a file.
func download(c *gin.Context, kind, name string) {
	c.Header("Content-Type", kind)
	c.Header("Content-Disposition", `attachment; filename="`+name+`"`)
	c.Status(http.StatusOK)
}

// cut ends a response that cannot be finished, so that half a file does not
// pass for a whole one.
func cut(c *gin.Context, err error) {
	if !clientGone(c, err) {
		slog.ErrorContext(c.Request.Context(), "request failed", "request", requestID(c), "route", c.FullPath(), "error", err)
	}
	panic(http.ErrAbortHandler)
}

// outgoing moves the write deadline on as long as bytes are taken.
type outgoing struct {
	gin.ResponseWriter
	c *http.ResponseController
}

// Write implements io.Writer.
func (o *outgoing) Write(p []byte) (int, error) {
	_ = o.c.SetWriteDeadline(time.Now().Add(writeIdle)) // not every ResponseWriter has deadlines
	return o.ResponseWriter.Write(p)
}

// Look is one person looking at one picture, on one day.
type Look struct {
	First   time.Time   `json:"first"`
	Last    time.Time   `json:"last"`
	Times   int         `json:"times"`
	Name    words.Text  `json:"name"`
	Role    access.Role `json:"role"`
	Teams   []string    `json:"teams"`
	What    words.Text  `json:"what"`
	Picture words.Text  `json:"picture,omitempty"`
	FiledAt *time.Time  `json:"filed_at,omitempty"`
}

func (s *Server) listLooks(c *gin.Context) {
	var from, to time.Time
	if !moment(c, "from", &from) || !moment(c, "to", &to) {
		return
	}
	as := c.Query("format")
	if as != "" && as != "json" && as != "csv" {
		fail(c, fault.New(fault.Invalid, "format-unknown", "Choose json or csv.").In("format"))
		return
	}
	found, err := s.Looks.Of(c.Request.Context(), principal(c), media.PatientID(c.Param("id")), from, to)
	if err != nil {
		fail(c, err)
		return
	}
	if as == "csv" {
		if err := looksCSV(c, found); err != nil {
			cut(c, err)
		}
		return
	}
	out := make([]Look, 0, len(found.Looks))
	for _, l := range found.Looks {
		out = append(out, Look{l.First, l.Last, l.Times, l.Name, l.Role, append([]string{}, l.Teams...), l.What, l.Picture, at(l.FiledAt)})
	}
	c.JSON(http.StatusOK, gin.H{"patient": patient(found.Patient), "looks": out, "more": found.More})
}

// looksCSV is the list for a patient, without anything that only means
// something inside.
func looksCSV(c *gin.Context, found transfer.Looked) error {
	download(c, "text/csv; charset=utf-8", "who-looked.csv")
	w := csv.NewWriter(&outgoing{c.Writer, http.NewResponseController(c.Writer)})
	lines := [][]string{{"date", "first time", "last time", "times", "who", "role", "team today", "what they did", "picture", "picture filed on"}}
	for _, l := range found.Looks {
		filed := ""
		if !l.FiledAt.IsZero() {
			filed = l.FiledAt.In(ui.Zone).Format("2 January 2006")
		}
		lines = append(lines, []string{l.First.In(ui.Zone).Format("2 January 2006"), l.First.In(ui.Zone).Format("15:04"), l.Last.In(ui.Zone).Format("15:04"), fmt.Sprint(l.Times),
			l.Name.String(), roleName(l.Role).String(), strings.Join(l.Teams, ", "), strings.TrimSuffix(l.What.String(), ","), l.Picture.String(), filed})
	}
	for _, l := range lines {
		for i := range l {
			l[i] = audit.Cell(l[i])
		}
	}
	return w.WriteAll(lines)
}
