package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// tus sends a request about an upload; id is "" for the uploads together.
func (p *person) tus(method, id string, body io.Reader, headers ...string) answer {
	p.h.t.Helper()
	path := "/api/v1/uploads"
	if id != "" {
		path += "/" + id
	}
	return p.send(method, path, body, append(headers, "Tus-Resumable", "1.0.0")...)
}

func (p *person) patch(id string, at int64, part io.Reader) answer {
	p.h.t.Helper()
	return p.tus("PATCH", id, part, "Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.FormatInt(at, 10))
}

// start starts an upload and gives its identifier.
func (p *person) start(size int, entry string) string {
	p.h.t.Helper()
	a := p.tus("POST", "", nil, "Upload-Length", strconv.Itoa(size), "Upload-Metadata", "entry "+base64.StdEncoding.EncodeToString([]byte(entry)))
	id, ok := strings.CutPrefix(a.header.Get("Location"), "/api/v1/uploads/")
	if a.status != http.StatusCreated || !ok || a.header.Get("Upload-Expires") == "" {
		p.h.t.Fatalf("start an upload: %d %v %s", a.status, a.header, a.body)
	}
	return id
}

func (p *person) offset(id string) int64 {
	p.h.t.Helper()
	a := p.tus("HEAD", id, nil)
	n, err := strconv.ParseInt(a.header.Get("Upload-Offset"), 10, 64)
	if err != nil || a.status != http.StatusOK {
		p.h.t.Fatalf("where is the upload: %d %v", a.status, a.header)
	}
	return n
}

func (p *person) outcome(id string) api.Outcome {
	p.h.t.Helper()
	var o api.Outcome
	p.must("GET", "/uploads/"+id+"/outcome", http.StatusOK, nil).into(p.h.t, &o)
	return o
}

// sealed is what a phone makes of a picture and its details.
func (p *person) sealed(file []byte, details map[string]string) []byte {
	p.h.t.Helper()
	var terms api.IntakeTerms
	p.must("GET", "/intake", http.StatusOK, nil).into(p.h.t, &terms)
	to, err := age.ParseHybridRecipient(terms.Recipient)
	if err != nil {
		p.h.t.Fatal(err)
	}
	return sealedTo(p.h.t, to, file, details)
}

func sealedTo(t *testing.T, to age.Recipient, file []byte, details map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	form := multipart.NewWriter(w)
	for k, v := range details {
		_ = form.WriteField(k, v)
	}
	if file != nil {
		f, _ := form.CreateFormFile("file", "IMG_0001.JPG")
		_, _ = f.Write(file)
	}
	_ = form.Close()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// large is a picture of several parts.
func large(t *testing.T) []byte { return append(phone(t), make([]byte, 5<<20)...) }

// cutOff sends a part of an upload and loses the signal after n bytes.
func (p *person) cutOff(id string, at int64, part []byte, n int) {
	p.h.t.Helper()
	in, out := io.Pipe()
	go func() {
		_, _ = out.Write(part[:n])
		_ = out.CloseWithError(io.ErrUnexpectedEOF)
	}()
	ctx, cancel := context.WithTimeout(p.h.t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "PATCH", p.h.url+"/api/v1/uploads/"+id, in)
	if err != nil {
		p.h.t.Fatal(err)
	}
	r.ContentLength = int64(len(part))
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	r.Header.Set("Upload-Offset", strconv.FormatInt(at, 10))
	r.AddCookie(p.cookie)
	if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
		_ = resp.Body.Close()
		p.h.t.Fatalf("it was answered with %d", resp.StatusCode)
	}
}

// reopen closes the house and opens it again over the same data, as a restart does.
func (h *house) reopen() {
	h.t.Helper()
	cfg := h.sys.Config
	if err := h.sys.Close(); err != nil {
		h.t.Fatal(err)
	}
	sys, err := config.Open(h.t.Context(), cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = sys.Close() })
	h.sys = sys
	h.serve()
}

// An upload that loses its signal twice and its server once is filed once, and
// is what was sent.
func TestUploadIsResumed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse, picture := h.session("nurse"), large(t)
		whole := nurse.sealed(picture, h.details())
		id := nurse.start(len(whole), "entry-1")
		if again := nurse.start(len(whole), "entry-1"); again != id {
			t.Error("the same entry, started again, is another upload")
		}
		nurse.cutOff(id, 0, whole, 3_000_000)
		eventually(t, "what arrived is not kept", func() bool { return nurse.offset(id) > 2_900_000 })
		first := nurse.offset(id)
		if first > 3_000_000 {
			t.Errorf("%d of 3000000 bytes are kept", first)
		}
		if a := nurse.patch(id, first-1, bytes.NewReader(whole[first-1:])); a.status != http.StatusConflict || a.code() != "upload-offset" {
			t.Errorf("from another place: %d %s", a.status, a.code())
		}
		h.reopen()
		nurse.cutOff(id, first, whole[first:], 1_000_000)
		eventually(t, "after the restart it does not go on", func() bool { return nurse.offset(id) > first })
		second := nurse.offset(id)
		h.noPlaintext(phone(t))
		if o := nurse.outcome(id); o.State != "receiving" || o.Received != second || o.ExpiresAt == nil {
			t.Errorf("on its way: %+v", o)
		}
		if a := nurse.patch(id, second, bytes.NewReader(whole[second:])); a.status != http.StatusNoContent || a.header.Get("Upload-Offset") != strconv.Itoa(len(whole)) {
			t.Fatalf("the rest: %d %v %s", a.status, a.header, a.body)
		}
		o := nurse.outcome(id)
		if o.State != "filed" || o.Item == "" || o.Receipt == nil || len(o.Receipt.Removed) < 5 || o.Repeated {
			t.Fatalf("the outcome: %+v", o)
		}
		shown := nurse.must("GET", "/items/"+string(o.Item)+"/renditions/original-clean", http.StatusOK, nil)
		samePixels(t, phone(t), shown.body)
		if a := nurse.patch(id, int64(len(whole)), nil); a.status != http.StatusGone {
			t.Errorf("the last part again: %d", a.status)
		}
		if nurse.offset(id) != int64(len(whole)) || nurse.outcome(id).Item != o.Item {
			t.Error("after the answer was lost, it looks different")
		}
		if h.items() != 1 || parts(t, h) != 0 {
			t.Errorf("%d items, %d parts left", h.items(), parts(t, h))
		}
		if h.events("upload.started") != 1 || h.events("upload.ended") != 1 || h.events("item.filed") != 1 {
			t.Error("it is not recorded as it was")
		}
		h.noPlaintext(phone(t))
	})
}

// parts counts the parts of uploads in the object store.
func parts(t *testing.T, h *house) (n int) {
	t.Helper()
	if err := h.sys.Objects.List(t.Context(), "intake/", func(blob.Info) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// last adds the last bytes of an upload as a server does that is killed then.
func (h *house) last(id string, at int64, rest []byte, liveFor time.Duration) {
	h.t.Helper()
	key := blob.Key("intake/" + id + "/last")
	if _, err := h.sys.Objects.Create(h.t.Context(), key, bytes.NewReader(rest), int64(len(rest))); err != nil {
		h.t.Fatal(err)
	}
	if err := h.sys.Store.AddPart(h.t.Context(), id, meta.UploadPart{At: at, Bytes: int64(len(rest)), ObjectKey: string(key)}, liveFor); err != nil {
		h.t.Fatal(err)
	}
}

// An upload that was whole when its server was killed is filed by the next one,
// by the phone that asks and by itself.
func TestWholeUploadIsFiledAfterwards(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(h *house, nurse *person, id string){
		"by asking":  func(_ *house, nurse *person, id string) { nurse.outcome(id) },
		"by sending": func(_ *house, nurse *person, id string) { nurse.patch(id, nurse.offset(id), nil) },
		"by itself":  func(h *house, _ *person, _ string) { h.work() },
		"all together": func(h *house, nurse *person, id string) {
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() { nurse.outcome(id) })
			}
			wg.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, "sqlite+filesystem", nil)
			nurse := h.session("nurse")
			whole := nurse.sealed(phone(t), h.details())
			id := nurse.start(len(whole), "")
			// The server holds the lease of filing, and is gone.
			half := len(whole) / 2
			nurse.patch(id, 0, bytes.NewReader(whole[:half]))
			h.last(id, int64(half), whole[half:], time.Hour)
			if err := h.sys.Store.LeaseFiling(t.Context(), id, time.Hour); err != nil {
				t.Fatal(err)
			}
			if o := nurse.outcome(id); o.State != "filing" {
				t.Fatalf("before: %+v", o)
			}
			if err := h.sys.Store.HoldFiling(t.Context(), id, 0); err != nil {
				t.Fatal(err)
			}
			ask(h, nurse, id)
			filed := func() bool {
				u, err := h.sys.Store.Upload(t.Context(), id) // asking would file it
				return err == nil && u.State == meta.UploadFiled
			}
			eventually(t, "it is not filed", filed)
			if h.items() != 1 || h.events("item.filed") != 1 {
				t.Errorf("%d items, %d filings", h.items(), h.events("item.filed"))
			}
		})
	}
}

// What is refused when it is filed says why for as long as the phone asks, and
// leaves nothing.
func TestUploadRefused(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.session("nurse")
	no := h.details()
	no["consent"] = ""
	cut := nurse.sealed(phone(t), h.details())
	longer := nurse.sealed(phone(t), h.details())
	for name, c := range map[string]struct {
		whole []byte
		code  string
	}{
		"no consent":     {nurse.sealed(phone(t), no), "consent-missing"},
		"not a picture":  {nurse.sealed([]byte("hello"), h.details()), "format-unknown"},
		"its end is cut": {cut[:len(cut)-40], "upload-broken"},
		"it goes on":     {append(longer, 1, 2, 3), "upload-broken"},
	} {
		before := h.events("item.refused")
		id := nurse.start(len(c.whole), "")
		if a := nurse.patch(id, 0, bytes.NewReader(c.whole)); a.status != http.StatusNoContent {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		o := nurse.outcome(id)
		if o.State != "refused" || o.Problem == nil || o.Problem.Code != c.code || o.Problem.Detail == "" || o.Item != "" {
			t.Errorf("%s: %+v %+v", name, o, o.Problem)
		}
		if h.events("item.refused") != before+1 {
			t.Errorf("%s: it is not recorded", name)
		}
	}
	if objects(t, h) != 0 || parts(t, h) != 0 || h.items() != 0 {
		t.Errorf("%d objects, %d parts, %d items", objects(t, h), parts(t, h), h.items())
	}
}

// What was mistyped without a signal is put right with what the phone still
// has, and in no other way.
func TestRefusedUploadIsPutRight(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.session("nurse")
	wrong := h.details()
	wrong["date_of_birth"], wrong["idempotency_key"], wrong["sex"] = "1951-01-31", "entry", "male"
	whole := nurse.sealed(phone(t), wrong)
	try := func(corrections []byte) (api.Outcome, answer) {
		a := nurse.tus("POST", "", bytes.NewReader(corrections), "Upload-Length", strconv.Itoa(len(whole)), "Content-Type", "application/x-age")
		_, id, ok := strings.Cut(a.header.Get("Location"), "/uploads/")
		if !ok {
			return api.Outcome{}, a
		}
		nurse.patch(id, 0, bytes.NewReader(whole))
		return nurse.outcome(id), a
	}
	if o, _ := try(nil); o.State != "refused" || o.Problem.Field != "date_of_birth" {
		t.Fatalf("mistyped: %+v", o)
	}
	if _, a := try([]byte("date_of_birth=1950-01-31")); a.status != http.StatusUnsupportedMediaType || a.code() != "not-sealed" {
		t.Errorf("corrections that are not sealed: %d %s", a.status, a.code())
	}
	if o, _ := try(nurse.sealed(phone(t), nil)); o.State != "refused" || o.Problem.Code != "corrections-form" {
		t.Errorf("another picture as a correction: %+v", o)
	}
	o, _ := try(nurse.sealed(nil, map[string]string{"date_of_birth": "1950-01-31", "patient_number": "999 000 0018", "patient_number_kind": "nhs", "sex": ""}))
	if o.State != "filed" {
		t.Fatalf("put right: %+v %+v", o, o.Problem)
	}
	if h.items() != 1 {
		t.Errorf("%d items", h.items())
	}
	h.noPlaintext(phone(t))
}

// What was not encrypted to the intake is refused at its first bytes, and
// nothing of it is kept.
func TestOnlySealedUploads(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.session("nurse")
	other, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	weak, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, whole := range map[string][]byte{
		"a picture":          phone(t),
		"to another":         sealedTo(t, other.Recipient(), phone(t), h.details()),
		"to a weaker one":    sealedTo(t, weak.Recipient(), phone(t), h.details()),
		"a header only half": append([]byte("age-encryption.org/v1\n-> mlkem768x25519 "), make([]byte, 1<<20)...),
	} {
		id := nurse.start(len(whole), "")
		if a := nurse.patch(id, 0, bytes.NewReader(whole)); a.status != http.StatusUnsupportedMediaType || a.code() != "not-sealed" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if o := nurse.outcome(id); o.State != "refused" || o.Problem.Code != "not-sealed" {
			t.Errorf("%s: %+v", name, o)
		}
	}
	id := nurse.start(5000, "")
	if a := nurse.patch(id, 0, strings.NewReader("age")); a.status != http.StatusUnprocessableEntity || a.code() != "upload-start-short" {
		t.Errorf("a crumb: %d %s", a.status, a.body)
	}
	if n := parts(t, h); n != 0 {
		t.Errorf("%d parts are kept", n)
	}
	h.noPlaintext(phone(t))
}

// An upload is its person's: to others it does not exist.
func TestUploadsAreTheirPersons(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse, colleague := h.session("nurse"), h.session("colleague")
	whole := nurse.sealed(phone(t), h.details())
	id := nurse.start(len(whole), "same")
	if colleague.start(len(whole), "same") == id {
		t.Error("the same name of two people is one upload")
	}
	made := "person " + base64.StdEncoding.EncodeToString([]byte(h.ids["nurse"]))
	if a := colleague.tus("POST", "", nil, "Upload-Length", "5000", "Upload-Metadata", made); a.status != http.StatusForbidden || a.code() != "upload-not-yours" {
		t.Errorf("a colleague sends what the nurse made: %d %s", a.status, a.code())
	}
	denied := h.events("access.denied")
	for what, a := range map[string]answer{
		"HEAD": colleague.tus("HEAD", id, nil), "PATCH": colleague.patch(id, 0, bytes.NewReader(whole)), "DELETE": colleague.tus("DELETE", id, nil),
		"outcome": colleague.ask("GET", "/uploads/"+id+"/outcome", nil),
	} {
		if a.status != http.StatusNotFound {
			t.Errorf("a colleague at %s: %d %s", what, a.status, a.body)
		}
	}
	if n := h.events("access.denied"); n != denied+4 {
		t.Errorf("%d of 4 refusals are recorded", n-denied)
	}
	if nurse.offset(id) != 0 {
		t.Error("a colleague has added to it")
	}
	if a := nurse.send("HEAD", "/api/v1/uploads/"+id, nil); a.status != http.StatusPreconditionFailed {
		t.Errorf("without a version: %d", a.status)
	}
	if a := nurse.tus("DELETE", id, nil); a.status != http.StatusNoContent || nurse.outcome(id).State != "removed" {
		t.Errorf("its person removes it: %d %s", a.status, a.body)
	}
	if a := nurse.tus("HEAD", id, nil); a.status != http.StatusGone {
		t.Errorf("after that: %d", a.status)
	}
}

// The size and the number of uploads are bounded.
func TestUploadLimits(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Limits.MaxUploadBytes, c.Limits.UploadsOpen = 1<<20, 3 })
	nurse := h.session("nurse")
	begin := func(size int) answer { return nurse.tus("POST", "", nil, "Upload-Length", strconv.Itoa(size)) }
	for size, want := range map[int]string{3 << 20: "413 file-too-large", 100: "415 not-sealed", -1: "422 upload-length"} {
		if a := begin(size); fmt.Sprint(a.status, " ", a.code()) != want {
			t.Errorf("%d bytes: %d %s", size, a.status, a.code())
		}
	}
	// A picture over the limit in an upload within it.
	whole := nurse.sealed(append(phone(t), make([]byte, 1<<20)...), h.details())
	id := nurse.start(len(whole), "")
	nurse.patch(id, 0, bytes.NewReader(whole))
	if o := nurse.outcome(id); o.State != "refused" || o.Problem.Code != "file-too-large" {
		t.Errorf("a picture over the limit: %+v", o)
	}
	for range 3 {
		nurse.start(5000, "")
	}
	if a := begin(5000); a.status != http.StatusTooManyRequests || a.code() != "uploads-open" || a.header.Get("Retry-After") == "" {
		t.Errorf("a fourth: %d %s", a.status, a.code())
	}
	if a := h.session("colleague").tus("POST", "", nil, "Upload-Length", "5000"); a.status != http.StatusCreated {
		t.Errorf("somebody else's first: %d", a.status)
	}
}

// An upload that nobody goes on with is swept with its parts, and so are parts
// that a crash has left.
func TestExpiredUploadsAreSwept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse := h.session("nurse")
		whole := nurse.sealed(large(t), h.details())
		id := nurse.start(len(whole), "")
		nurse.cutOff(id, 0, whole, 3_000_000)
		eventually(t, "nothing is kept", func() bool { return nurse.offset(id) > 0 })
		if err := h.sys.Sweep(t.Context(), time.Now()); err != nil || parts(t, h) == 0 || nurse.outcome(id).State != "receiving" {
			t.Fatalf("the sweep takes what is not expired: %v", err)
		}
		received := nurse.offset(id)
		h.last(id, received, whole[received:received+1], -time.Second) // its time is over now
		at := nurse.outcome(id)
		if a := nurse.patch(id, at.Received, bytes.NewReader(whole[at.Received:])); a.status != http.StatusGone {
			t.Errorf("an expired upload goes on: %d", a.status)
		}
		if err := h.sys.Sweep(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if nurse.outcome(id).State != "expired" || parts(t, h) != 0 || h.events("upload.ended") != 1 {
			t.Errorf("%+v, %d parts", nurse.outcome(id), parts(t, h))
		}
		if _, err := h.sys.Objects.Create(t.Context(), "intake/nobodys/0", strings.NewReader("x"), 1); err != nil {
			t.Fatal(err)
		}
		if err := h.sys.Sweep(t.Context(), time.Now().Add(2*time.Hour)); err != nil || parts(t, h) != 0 {
			t.Errorf("%v, %d parts", err, parts(t, h))
		}
	})
}
