// Package bench measures the whole way beside raw storage, in one run. It
// prints ratios: absolute figures are the machine's.
package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == derivesHere {
		os.Exit(derive.Child(os.Stdin, os.Stdout))
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	servers.Main(m)
}

const (
	photoBytes = 4 << 20
	clients    = 8
	runFor     = 6 * time.Second
	password   = "correct horse battery staple"
)

// photo is a JPEG of 4 MB that is like no other: the phone's, with noise in its
// scan.
func photo(b *testing.B) []byte {
	b.Helper()
	p, err := os.ReadFile("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		b.Fatal(err)
	}
	noise := make([]byte, photoBytes-len(p))
	_, _ = rand.Read(noise)
	p = append(p[:len(p)-2:len(p)-2], bytes.ReplaceAll(noise, []byte{0xff}, []byte{0xfe})...)
	return append(p, 0xff, 0xd9)
}

// rate runs work in every client for a while and gives how many a second.
func rate(b *testing.B, work func(client int) error) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), runFor)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	n, start := 0, time.Now()
	for i := range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := work(i); err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(start).Seconds()
}

type house struct {
	sys  *config.System
	url  string
	team access.TeamID
	jar  *http.Cookie
}

func open(b *testing.B, kind string) *house {
	b.Helper()
	dir := b.TempDir()
	cfg := config.Default(dir)
	cfg.Limits.NoDerivatives = true
	if kind == "s3" {
		srv := servers.VersityGW(b)
		key := filepath.Join(dir, "key")
		if err := os.WriteFile(key, []byte(srv.SecretKey), 0o600); err != nil {
			b.Fatal(err)
		}
		cfg.Objects = config.Objects{Kind: "s3", Endpoint: srv.Endpoint, Bucket: srv.NewBucket(b, false), Region: srv.Region, AccessKey: srv.AccessKey, SecretKeyFile: key, CAFile: srv.CAFile}
	}
	if err := config.InitKeys(cfg, filepath.Join(dir, "escrow.txt"), ""); err != nil {
		b.Fatal(err)
	}
	sys, err := config.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sys.Close() })
	edge, err := api.New(sys.Flows(), sys.Edge("https://wardseal.example"))
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(edge)
	b.Cleanup(srv.Close)
	h := &house{sys: sys, url: srv.URL}
	t, err := sys.Staff.AddFirstTeam(b.Context(), "Tissue viability")
	if err != nil {
		b.Fatal(err)
	}
	h.team = t.ID
	if _, err := sys.Staff.AddFirst(b.Context(), signin.Newcomer{Username: "nurse", Name: "Example Nurse", Role: access.Clinician, Password: password, Teams: []access.TeamID{t.ID}}); err != nil {
		b.Fatal(err)
	}
	h.send(b, "POST", "/session", "application/json", map[string]string{"username": "nurse", "password": password})
	h.send(b, "POST", "/patients", "application/json", map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000018", "name": "Test Patient", "date_of_birth": "1950-01-31"})
	return h
}

func (h *house) send(b *testing.B, method, path, kind string, in any) {
	b.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := h.do(method, path, kind, bytes.NewReader(body), ""); err != nil {
		b.Fatal(err)
	}
}

func (h *house) do(method, path, kind string, body io.Reader, ranged string) ([]byte, error) {
	r, err := http.NewRequest(method, h.url+"/api/v1"+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	if ranged != "" {
		r.Header.Set("Range", ranged)
	}
	if h.jar != nil {
		r.AddCookie(h.jar)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, got)
	}
	for _, c := range resp.Cookies() {
		h.jar = c
	}
	return got, err
}

func (h *house) upload(file []byte) (string, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for k, v := range map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31", "team": string(h.team), "consent": "A", "body_site": "heel", "allow_repeat": "true"} {
		_ = w.WriteField(k, v)
	}
	f, _ := w.CreateFormFile("file", "a.jpg")
	_, _ = f.Write(file)
	_ = w.Close()
	got, err := h.do("POST", "/items", w.FormDataContentType(), &body, "")
	var filed api.Filing
	if err == nil {
		err = json.Unmarshal(got, &filed)
	}
	return string(filed.Item.ID), err
}

// BenchmarkWay prints uploads and views a second beside raw writes and reads of
// the same store.
func BenchmarkWay(b *testing.B) {
	for _, kind := range []string{"filesystem", "s3"} {
		b.Run(kind, func(b *testing.B) {
			h, file := open(b, kind), photo(b)
			var n sync.Map
			raw := rate(b, func(i int) error {
				k, _ := n.LoadOrStore(i, new(int))
				*k.(*int)++
				_, err := h.sys.Objects.Create(b.Context(), blob.Key(fmt.Sprintf("raw/%d-%d", i, *k.(*int))), bytes.NewReader(file), int64(len(file)))
				return err
			})
			ours := rate(b, func(int) error { _, err := h.upload(file); return err })
			b.ReportMetric(ours, "uploads/s")
			b.ReportMetric(ours/raw, "of-raw-writes")

			id, err := h.upload(file)
			if err != nil {
				b.Fatal(err)
			}
			raw = rate(b, func(int) error {
				r, err := h.sys.Objects.OpenAt(b.Context(), "raw/0-1", 0, -1)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, r)
				return err
			})
			ours = rate(b, func(int) error {
				_, err := h.do("GET", "/items/"+id+"/renditions/original-clean", "", nil, "")
				return err
			})
			b.ReportMetric(ours, "views/s")
			b.ReportMetric(ours/raw, "of-raw-reads")
			b.ReportMetric(0, "ns/op")
		})
	}
}
