package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wardseal/wardseal/internal/config"
)

// Spans of requests reach a collector, with the steps of an upload, and with
// nothing of people, patients, items or secrets in them.
func TestTraces(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []byte
	spans := map[string][]string{} // by name, the names of their events
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var in collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(b, &in) != nil {
			t.Errorf("%d bytes are no spans: %v", len(b), err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, b...)
		for _, rs := range in.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					var events []string
					for _, e := range s.Events {
						events = append(events, e.Name)
					}
					spans[s.Name] = append(spans[s.Name], strings.Join(events, " "))
				}
			}
		}
	}))
	t.Cleanup(srv.Close)
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Traces.Endpoint, c.Traces.Share = srv.URL+"/v1/traces", 1 })
	item := h.filed()
	secret, _ := h.link(item, nil)
	nurse := h.as("nurse")
	nurse.must("GET", "/items/"+item+"/renditions/original-clean", http.StatusOK, nil)
	nurse.ask("GET", "/items?patient_number=9990000018&patient_number_kind=nhs", nil)
	nurse.ask("GET", "/nowhere/"+item, nil)
	if err := h.sys.Close(); err != nil { // the last spans go
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		mu.Lock()
		n := len(spans["none"]) + len(spans["GET none"])
		mu.Unlock()
		if n > 0 {
			break
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if got := spans["POST /api/v1/items"]; len(got) != 1 || got[0] != "spooled sniffed sanitised verified stored committed" {
		t.Errorf("the upload's spans: %q", got)
	}
	if len(spans["GET /api/v1/items/:id/renditions/:rendition"]) != 1 || len(spans["GET none"]) != 1 {
		t.Errorf("spans %v", spans)
	}
	for what, text := range map[string]string{
		"the patient's number": "9990000018", "the item": item, "the team": string(h.team), "the nurse": string(h.ids["nurse"]), "a link's secret": secret,
		"the note": "NOTE-MARKER", "the site": "left heel", "the session": nurse.cookie.Value, "the date of birth": "1950-01-31", "the file's name": "IMG_0001",
	} {
		if text == "" || bytes.Contains(all, []byte(text)) {
			t.Errorf("the spans hold %s", what)
		}
	}
}
