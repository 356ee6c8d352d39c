// Package e2e tests the whole through its public door: HTTP, over real storage
// engines and databases.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == config.ChildArgument || len(os.Args) > 2 && os.Args[1] == config.FilmArgument {
		os.Exit(decode())
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	servers.Main(m)
}

// decode is what the confined children of a house do. They are the program as
// it is built for use, where open has put it: decoding goes on in one goroutine,
// in which the race detector finds nothing and takes ten times as long.
func decode() int {
	self, err := os.Executable()
	if err == nil {
		var program string
		if program, err = os.Readlink(self + child); err == nil {
			err = syscall.Exec(program, append([]string{program}, os.Args[1:]...), []string{})
		}
	}
	fmt.Fprintln(os.Stderr, "become the decoding child:", err)
	return 1
}

// child is what the link to the program is called, after the name of the tests.
const child = ".program"

var linking sync.Once

// decodes puts the program where decode finds it.
func decodes(t *testing.T) {
	t.Helper()
	program := servers.Wardseal(t)
	linking.Do(func() {
		self, err := os.Executable()
		if err == nil {
			_ = os.Remove(self + child) // of another run of the same file
			err = os.Symlink(program, self+child)
		}
		if err != nil {
			t.Error(err)
		}
	})
}

const password = "correct horse battery staple"

// house is a running deployment with a person of every role.
type house struct {
	t    *testing.T
	sys  *config.System
	url  string
	api  *api.Server
	data string
	team access.TeamID
	ids  map[string]access.PersonID

	stays     atomic.Bool   // redirects are shown and not followed
	languages *ui.Languages // nil for those of the program
	reads     string        // the language that browsers ask for
	looked    func(path string, page []byte)
}

// person is somebody who speaks to the house; nobody is the zero cookie.
type person struct {
	h      *house
	cookie *http.Cookie
}

// staff are the people of every house, by username.
var staff = map[string]access.Role{
	"nurse": access.Clinician, "colleague": access.Clinician, "outsider": access.Clinician,
	"consultant": access.Consultant, "records": access.RecordsOfficer, "auditor": access.Auditor, "admin": access.Administrator,
}

// each runs a test on both pairs of engines.
func each(t *testing.T, test func(t *testing.T, h *house)) {
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, kind, nil))
		})
	}
}

func open(t *testing.T, kind string, change func(*config.Config)) *house {
	t.Helper()
	dir := t.TempDir()
	cfg := config.Default(dir)
	cfg.Limits.NoDerivatives = true
	if kind == "postgres+s3" {
		cfg.Database = config.Database{Driver: "postgres", URLFile: secret(t, dir, "url", servers.PostgresCopy(t, func(url string) {
			migrate(t, config.Config{Database: config.Database{Driver: "postgres", URLFile: secret(t, t.TempDir(), "url", url)}})
		}))}
		srv := servers.VersityGW(t)
		cfg.Objects = config.Objects{Kind: "s3", Endpoint: srv.Endpoint, Bucket: srv.NewBucket(t, false), Region: srv.Region,
			AccessKey: srv.AccessKey, SecretKeyFile: secret(t, dir, "key", srv.SecretKey), CAFile: srv.CAFile}
	}
	if change != nil {
		change(&cfg)
	}
	if !cfg.Limits.NoDerivatives {
		decodes(t)
	}
	if err := config.InitKeys(cfg, filepath.Join(dir, "escrow-identity.txt"), ""); err != nil {
		t.Fatal(err)
	}
	if cfg.Database.Driver == "sqlite" {
		servers.SQLiteCopy(t, filepath.Join(cfg.Data, database), func(file string) { migrate(t, config.Default(filepath.Dir(file))) })
	}
	sys, err := config.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sys.Close() })
	h := &house{t: t, sys: sys, data: dir, ids: map[string]access.PersonID{}}
	h.serve()
	ours, err := sys.Staff.AddFirstTeam(t.Context(), "Tissue viability")
	if err != nil {
		t.Fatal(err)
	}
	h.team = ours.ID
	for name, role := range staff {
		var teams []access.TeamID
		if name == "nurse" || name == "colleague" {
			teams = []access.TeamID{ours.ID}
		}
		if err := h.guided(h.hire(name, role, teams...)); err != nil {
			t.Fatal(err)
		}
	}
	h.as("nurse").must("POST", "/patients", http.StatusCreated, map[string]string{
		"patient_number_kind": "nhs", "patient_number": "999 000 0018", "name": "Test Patient", "date_of_birth": "1950-01-31"})
	return h
}

const database = "wardseal.db"

// migrate makes the schema.
func migrate(t *testing.T, cfg config.Config) {
	t.Helper()
	db, err := config.OpenDatabase(t.Context(), cfg)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hash is of everybody's password: making one takes as long as it should, and
// the race detector makes it ten times that.
var hash = sync.OnceValues(func() (string, error) { return signin.Passwords{}.Hash(access.Person{}, password) })

// hire adds a member of staff.
func (h *house) hire(name string, role access.Role, teams ...access.TeamID) access.PersonID {
	h.t.Helper()
	sealed, err := hash()
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, p, admin := h.t.Context(), access.Person{ID: access.NewPersonID(), Username: name, Name: "Example " + name, Role: role}, access.Principal{}
	if err := h.sys.Store.AddPerson(ctx, meta.Person{Person: p, PasswordHash: sealed}, audit.NewEvent(audit.PersonAdded, admin, audit.Subject{Person: string(p.ID)})); err != nil {
		h.t.Fatal(err)
	}
	for _, team := range teams {
		if err := h.sys.Store.Join(ctx, team, p.ID, audit.NewEvent(audit.TeamJoined, admin, audit.Subject{Team: string(team), Person: string(p.ID)})); err != nil {
			h.t.Fatal(err)
		}
	}
	h.ids[name] = p.ID
	return p.ID
}

// guided has somebody read the guidance for staff.
func (h *house) guided(id access.PersonID) error {
	g := h.sys.Flows().Guidance
	return g.Acknowledge(h.t.Context(), access.Principal{Person: access.Person{ID: id}}, g.Version())
}

// serve puts the house's system behind an address.
func (h *house) serve() {
	h.t.Helper()
	var err error
	edge := h.sys.Edge("https://wardseal.example")
	edge.Languages = h.languages
	if h.api, err = api.New(h.sys.Flows(), edge); err != nil {
		h.t.Fatal(err)
	}
	srv := httptest.NewServer(h.api)
	h.t.Cleanup(srv.Close)
	h.url = srv.URL
}

func secret(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (h *house) nobody() *person { return &person{h: h} }

// as is somebody in a session of their own; see signIn for the way there.
func (h *house) as(name string) *person { return h.session(name) }

// signIn signs somebody in.
func (h *house) signIn(name string) *person {
	h.t.Helper()
	p := &person{h: h}
	a := p.ask("POST", "/session", map[string]string{"username": name, "password": password})
	if a.status != http.StatusOK {
		h.t.Fatalf("%s cannot sign in: %d %s", name, a.status, a.body)
	}
	for _, c := range a.cookies {
		p.cookie = c
	}
	return p
}

type answer struct {
	status  int
	header  http.Header
	body    []byte
	cookies []*http.Cookie
}

// code is the problem's code.
func (a answer) code() string {
	var p api.Problem
	_ = json.Unmarshal(a.body, &p)
	return p.Code
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// ask sends JSON, or nothing.
func (p *person) ask(method, path string, in any, headers ...string) answer {
	p.h.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			p.h.t.Fatal(err)
		}
		body = bytes.NewReader(b)
		headers = append(headers, "Content-Type", "application/json")
	}
	return p.send(method, "/api/v1"+path, body, headers...)
}

func (p *person) send(method, path string, body io.Reader, headers ...string) answer {
	p.h.t.Helper()
	ctx, cancel := context.WithTimeout(p.h.t.Context(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, p.h.url+path, body)
	if err != nil {
		p.h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if p.cookie != nil {
		r.AddCookie(p.cookie)
	}
	if p.h.reads != "" {
		r.Header.Set("Accept-Language", p.h.reads)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		if p.h.stays.Load() {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := client.Do(r)
	if err != nil {
		p.h.t.Errorf("%s %s: %v", method, path, err)
		return answer{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.h.t.Errorf("%s %s: %v", method, path, err)
	}
	document.check(p.h.t, p.h, r, resp, b)
	if p.h.looked != nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		p.h.looked(method+" "+path, b)
	}
	return answer{resp.StatusCode, resp.Header, b, resp.Cookies()}
}

// must asks and fails the test at another status.
func (p *person) must(method, path string, want int, in any) answer {
	p.h.t.Helper()
	a := p.ask(method, path, in)
	if a.status != want {
		p.h.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, want, a.body)
	}
	return a
}

func (h *house) details() map[string]string {
	return map[string]string{
		"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31", "team": string(h.team), "consent": "A",
		"body_site": "left heel", "note": "NOTE-MARKER",
	}
}

// upload sends a file with details; a detail of "" is left out.
func (p *person) upload(file []byte, details map[string]string, headers ...string) answer {
	p.h.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range details {
		if v != "" {
			_ = w.WriteField(k, v)
		}
	}
	if file != nil {
		f, _ := w.CreateFormFile("file", "IMG_0001.JPG")
		_, _ = f.Write(file)
	}
	_ = w.Close()
	return p.send("POST", "/api/v1/items", &b, append(headers, "Content-Type", w.FormDataContentType())...)
}

func phone(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// filed uploads the phone's picture as the nurse and gives the item.
func (h *house) filed() string {
	h.t.Helper()
	d := h.details()
	d["allow_repeat"] = "true"
	a := h.as("nurse").upload(phone(h.t), d)
	if a.status != http.StatusCreated {
		h.t.Fatalf("upload: %d %s", a.status, a.body)
	}
	var f api.Filing
	a.into(h.t, &f)
	return string(f.Item.ID)
}

// events counts audit events of a type.
func (h *house) events(typ string) int {
	h.t.Helper()
	var page struct{ Events []json.RawMessage }
	h.session("auditor").must("GET", "/audit?limit=500&type="+typ, http.StatusOK, nil).into(h.t, &page)
	return len(page.Events)
}
