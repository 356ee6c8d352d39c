package failure

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// soon is how long anybody waits for an answer.
const soon = 10 * time.Second

// trouble is what a network or a server does, and what is not there then.
type trouble struct {
	name  string
	begin func()
	end   func()
	still bool // it is slow and works
}

// TestStorageInTrouble makes the ways to the object store and to the database
// bad: the answer comes within ten seconds and is right, nothing is
// acknowledged that is not kept, and all goes on by itself afterwards.
func TestStorageInTrouble(t *testing.T) {
	for _, part := range []string{"objects", "database"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			var n servers.Network
			failing := &failing{}
			d := deploy(t, "postgres+s3", func(c *config.Config) {
				if part == "objects" {
					n = servers.NewNetwork(t, failing.before(t, c.Objects))
					c.Objects.Endpoint = n.Address
					return
				}
				u, err := url.Parse(servers.Postgres(t))
				if err != nil {
					t.Fatal(err)
				}
				n = servers.NewNetwork(t, u.Host)
				u.Host = n.Address
				c.Database.URLFile = secret(t, c.Data, "url", u.String())
			})
			d.serve()
			nurse := signIn(t, d.url(), "nurse")
			nurse.register()
			shown := photo(t, 400, 0)
			item, a := nurse.upload(shown, rand.Text())
			if item == "" {
				t.Fatal(a)
			}
			acknowledged := map[string]picture{item: shown}
			var most time.Duration
			all := troubles(t, part, n, failing)
			for _, c := range all {
				most = max(most, withstand(t, d, nurse, c, part, item, acknowledged))
			}
			t.Logf("%d troubles; the longest answer took %s", len(all), most.Round(10*time.Millisecond))
			if listed := nurse.items(); len(listed) != len(acknowledged) {
				t.Errorf("%d items, %d were acknowledged", len(listed), len(acknowledged))
			}
			for id, pic := range acknowledged {
				if a := nurse.picture(id); !bytes.Equal(a.body, pic.clean) {
					t.Errorf("an acknowledged picture: %s", a)
				}
			}
		})
	}
}

// troubles lists what may happen to a part; the first few always do.
func troubles(t *testing.T, part string, n servers.Network, f *failing) []trouble {
	bad := func(kind, stream string, attributes map[string]any) trouble {
		return trouble{name: kind + " " + stream, begin: func() { n.Worsen(t, kind, stream, attributes) }, end: func() { n.Mend(t) }}
	}
	says := func(status int) trouble {
		return trouble{name: strconv.Itoa(status), begin: func() { f.status.Store(int32(status)) }, end: func() { f.status.Store(0) }}
	}
	all := []trouble{{name: "down", begin: func() { n.Cut(t) }, end: func() { n.Mend(t) }}, bad("timeout", "downstream", map[string]any{"timeout": 0})}
	if part == "objects" {
		slow := bad("latency", "downstream", map[string]any{"latency": 300})
		slow.still = true
		all = append(all, slow, says(503), bad("bandwidth", "downstream", map[string]any{"rate": 1}))
	}
	if !full() {
		return all
	}
	all = append(all, bad("timeout", "upstream", map[string]any{"timeout": 0}),
		bad("reset_peer", "upstream", map[string]any{"timeout": 0}), bad("reset_peer", "downstream", map[string]any{"timeout": 20}))
	if part == "objects" {
		all = append(all, says(500), says(502), says(504), says(429), bad("latency", "downstream", map[string]any{"latency": 5000}),
			bad("bandwidth", "upstream", map[string]any{"rate": 1}),
			bad("limit_data", "upstream", map[string]any{"bytes": 20_000}), bad("limit_data", "downstream", map[string]any{"bytes": 20_000}))
	}
	return all
}

// withstand asks for all there is in trouble and after it, and gives how long
// the slowest answer took.
func withstand(t *testing.T, d *deployment, nurse *person, c trouble, part, item string, acknowledged map[string]picture) time.Duration {
	t.Helper()
	pic, key := photo(t, 400, 0), rand.Text()
	var filing, showing answer
	var filed, ready string
	c.begin()
	var wg sync.WaitGroup
	wg.Go(func() { filed, filing = nurse.upload(pic, key) })
	wg.Go(func() { showing = nurse.picture(item) })
	wg.Go(func() { ready = readiness(t, d) })
	crowd := make([]answer, 40) // more than there are connections
	for i := range crowd {
		wg.Go(func() { crowd[i] = nurse.send("GET", "/items/"+item, nil) })
	}
	wg.Wait()
	answers := map[string]answer{"upload": filing, "view": showing}
	for i, a := range crowd {
		answers[fmt.Sprintf("item, asked for by %d", i)] = a
	}
	for what, a := range answers {
		fine := a.status == http.StatusCreated || a.status == http.StatusOK
		if !fine && (a.status != http.StatusServiceUnavailable || a.code() != "storage-down" || a.header.Get("Retry-After") == "") || c.still && !fine || a.took > soon {
			t.Errorf("%s: %s: %s", c.name, what, a)
		}
	}
	if showing.status == http.StatusOK && !bytes.Equal(showing.body, acknowledged[item].clean) {
		t.Errorf("%s: another picture", c.name)
	}
	partly := strings.Contains(c.name, "limit_data") || strings.Contains(c.name, "bandwidth") // what is asked for is small
	if down := strings.Contains(ready, part+": not ready"); down == c.still && !partly || strings.Count(ready, ": ready") == 0 {
		t.Errorf("%s: readiness is %q", c.name, ready)
	}
	c.end()
	if filed != "" {
		acknowledged[filed] = pic
	}
	again := time.Now()
	for { // by itself, soon
		id, a := nurse.upload(pic, key)
		if id != "" {
			acknowledged[id] = pic
			if filed != "" && id != filed {
				t.Errorf("%s: a second item under one key", c.name)
			}
			break
		}
		if time.Since(again) > soon {
			t.Errorf("%s: it does not recover: %s", c.name, a)
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a := nurse.picture(item); !bytes.Equal(a.body, acknowledged[item].clean) {
		t.Errorf("%s: afterwards: %s", c.name, a)
	}
	if r := readiness(t, d); strings.Contains(r, "not ready") {
		t.Errorf("%s: afterwards readiness is %q", c.name, r)
	}
	t.Logf("%-22s upload %d in %-6s view %d in %-6s", c.name, filing.status, filing.took.Round(10*time.Millisecond), showing.status, showing.took.Round(10*time.Millisecond))
	most := time.Duration(0)
	for _, a := range answers {
		most = max(most, a.took)
	}
	return most
}

// readiness is what the server says of its parts.
func readiness(t *testing.T, d *deployment) string {
	t.Helper()
	began := time.Now()
	resp, err := client.Get("http://" + d.at.Operations + "/readyz")
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || time.Since(began) > soon {
		t.Errorf("readiness: %v after %s", err, time.Since(began))
	}
	return string(b)
}

// failing is an S3 server that answers with a status instead of doing anything.
type failing struct{ status atomic.Int32 }

// before stands before another server, with its certificate, and gives where.
func (f *failing) before(t *testing.T, o config.Objects) string {
	t.Helper()
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: o.Endpoint})
			r.Out.Host = r.In.Host // it is signed
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableCompression: true},
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := int(f.status.Load()); n != 0 {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(n)
			_, _ = io.WriteString(w, "<Error><Code>Failing"+strconv.Itoa(n)+"</Code></Error>")
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	cert, err := tls.LoadX509KeyPair(o.CAFile, strings.TrimSuffix(o.CAFile, "ca.pem")+"key.pem")
	if err != nil {
		t.Fatal(err)
	}
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}
