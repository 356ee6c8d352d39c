package failure

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	randv2 "math/rand/v2"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// replica is one of several servers over the same data. Each has a folder of
// its own, and the keys of all.
type replica struct {
	d *deployment
	s *servers.Serving
}

// Of three servers one is killed every few seconds, amid uploads and views:
// nothing is lost or doubled, uploads that can be resumed go on elsewhere, and
// what is to be done later is done, once.
func TestReplicasKilled(t *testing.T) {
	t.Parallel()
	first := deploy(t, "postgres+s3", func(c *config.Config) { c.Limits.NoDerivatives = false })
	var replicas []*replica
	for n := range 3 {
		d := *first
		if n > 0 {
			d.at, d.cfg.Data = servers.NewAddresses(t), t.TempDir()
			d.cfg.Keys = config.Keys{RootFile: first.cfg.RootFile(), EscrowFile: first.cfg.EscrowFile()}
		}
		replicas = append(replicas, &replica{&d, d.serve()})
	}
	nurse := signIn(t, first.url(), "nurse")
	nurse.register()
	var turn atomic.Int64
	next := func() *person { return nurse.elsewhere(replicas[turn.Add(1)%3].d.url()) }
	r := resumable{next: next, size: 256 << 10}
	l := &load{t: t, most: 10, pause: 100 * time.Millisecond, send: func(n int, pic picture, key string) (string, answer) {
		if n%3 == 0 {
			return r.upload(pic, key)
		}
		return next().upload(pic, key)
	}}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	stop, wait := l.phones(4)
	var v views
	var watching sync.WaitGroup
	for range 2 {
		watching.Go(func() { v.watch(ctx, l, func(item string) answer { return next().picture(item) }, true) })
	}
	kills, every := times(t, "REPLICA_KILLS", 3), time.Duration(times(t, "REPLICA_SECONDS", 1))*time.Second
	began := time.Now()
	for n := range kills {
		time.Sleep(every)
		victim := replicas[randv2.IntN(3)]
		if n < 3 {
			victim = replicas[n] // each of them once at least
		}
		victim.s.Signal(syscall.SIGKILL)
		victim.s.Wait()
		time.Sleep(every / 5)
		victim.s = victim.d.serve()
	}
	stop()
	wait()
	end()
	watching.Wait()
	t.Logf("a replica killed %d times in %s: %d views shown, %d broken off or told to try again; %d uploads went on elsewhere", kills, time.Since(began).Round(time.Second), v.shown.Load(), v.refused.Load(), r.resumed.Load())
	if v.shown.Load() == 0 {
		t.Error("nothing was shown")
	}
	l.check(first)
	done := allDone(t, nurse, l)
	t.Logf("previews of all %d items are there %s later", len(l.files), done.Round(100*time.Millisecond))
	said := first.command("", "audit", "verify")
	if !strings.Contains(said, "events are as they were recorded") {
		t.Error(said)
	}
	t.Log(strings.TrimSpace(said))
}

// allDone waits until each item has a preview, and gives how long that took.
func allDone(t *testing.T, nurse *person, l *load) time.Duration {
	t.Helper()
	began, left := time.Now(), make([]string, 0, len(l.files))
	for item := range l.files {
		left = append(left, item)
	}
	for len(left) > 0 {
		if time.Since(began) > 3*time.Minute { // a job's lease is a minute, and it may have been taken twice
			t.Errorf("%d previews are never made", len(left))
			break
		}
		left = slices.DeleteFunc(left, func(item string) bool {
			return nurse.send("GET", "/items/"+item+"/renditions/preview", nil).status == http.StatusOK
		})
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// resumable sends uploads as a phone does that was encrypted to the server and
// goes on wherever it is let in.
type resumable struct {
	next    func() *person
	size    int // of a piece
	resumed atomic.Int64

	mu    sync.Mutex
	whole map[string][]byte // by key: encrypting again would be another file
}

// upload goes on with an upload, a piece at a time, each at another replica.
func (r *resumable) upload(pic picture, key string) (string, answer) {
	whole, a := r.sealed(pic, key)
	if whole == nil {
		return "", a
	}
	entry := base64.StdEncoding.EncodeToString([]byte(key))
	a = r.next().send("POST", "/uploads", nil, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(len(whole)), "Upload-Metadata", "entry "+entry)
	id, ok := strings.CutPrefix(a.header.Get("Location"), "/api/v1/uploads/")
	if a.err != nil || !ok {
		return "", a
	}
	a = r.next().send("HEAD", "/uploads/"+id, nil, "Tus-Resumable", "1.0.0")
	at, err := strconv.Atoi(a.header.Get("Upload-Offset"))
	if err != nil {
		return "", again(a)
	}
	if at > 0 && at < len(whole) {
		r.resumed.Add(1)
	}
	for at < len(whole) {
		piece := whole[at:min(at+r.size, len(whole))]
		a = r.next().send("PATCH", "/uploads/"+id, bytes.NewReader(piece), "Tus-Resumable", "1.0.0", "Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.Itoa(at))
		if a.err != nil || a.status != http.StatusNoContent {
			return "", again(a)
		}
		if at, err = strconv.Atoi(a.header.Get("Upload-Offset")); err != nil {
			return "", answer{err: err}
		}
	}
	var o api.Outcome
	a = r.next().send("GET", "/uploads/"+id+"/outcome", nil)
	if a.err != nil || a.status != http.StatusOK || json.Unmarshal(a.body, &o) != nil {
		return "", a
	}
	if o.State == "filing" {
		return "", answer{err: fmt.Errorf("it is being filed")}
	}
	return string(o.Item), a
}

// again tells what a phone tries again from what it gives up at.
func again(a answer) answer {
	if a.err == nil && (a.status == http.StatusConflict || a.status == http.StatusGone || a.status == http.StatusNoContent || a.status == http.StatusOK) {
		a.err = fmt.Errorf("try again after %d", a.status)
	}
	return a
}

func (r *resumable) sealed(pic picture, key string) ([]byte, answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.whole[key]; ok {
		return b, answer{}
	}
	p := r.next()
	var terms api.IntakeTerms
	a := p.send("GET", "/intake", nil)
	if a.err != nil || a.status != http.StatusOK {
		return nil, a
	}
	a.err = json.Unmarshal(a.body, &terms)
	to, err := age.ParseHybridRecipient(terms.Recipient)
	if err != nil {
		return nil, answer{err: err}
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, answer{err: err}
	}
	form := multipart.NewWriter(w)
	for k, v := range p.fields(pic) {
		_ = form.WriteField(k, v)
	}
	f, _ := form.CreateFormFile("file", "a.jpg")
	_, _ = io.Copy(f, bytes.NewReader(pic.file))
	_ = form.Close()
	_ = w.Close()
	if r.whole == nil {
		r.whole = map[string][]byte{}
	}
	r.whole[key] = out.Bytes()
	return out.Bytes(), answer{}
}
