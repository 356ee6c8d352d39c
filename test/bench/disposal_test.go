package bench

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/test/servers"
)

// BenchmarkDisposal destroys a batch of pictures with their previews and
// thumbnails in an S3 bucket that keeps versions, and prints how many a second
// go. Run it with DISPOSALS=n for another number than 400.
func BenchmarkDisposal(b *testing.B) {
	items := 400
	if n := os.Getenv("DISPOSALS"); n != "" {
		if _, err := fmt.Sscan(n, &items); err != nil {
			b.Fatal(err)
		}
	}
	srv := servers.VersityGW(b)
	h := openWith(b, &srv, true, "--jurisdiction", "scotland", "--organisation", "Example", "--backups-kept-for", "1h", "--disposal-cooling-off", "0s")
	file, err := os.ReadFile("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, items)
	for i := range ids {
		if ids[i], err = h.upload("a.jpg", bytes.NewReader(file), int64(len(file))); err != nil {
			b.Fatal(err)
		}
	}
	h.settle(b, ids[len(ids)-1])
	one, two := h.officer(b, "one"), h.officer(b, "two")
	var found struct{ Patient string }
	one.json(b, "POST", "/records/find", map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"}, &found)
	one.json(b, "POST", "/records/"+found.Patient+"/events", map[string]string{"event": "died", "on": "2010-01-01"}, nil)
	for len(one.due(b)) == 0 { // dates are worked out in the background
		time.Sleep(time.Second)
	}
	var batch struct{ ID string }
	one.json(b, "POST", "/disposals", map[string]any{"ground": "retention", "items": ids, "reason": "x"}, &batch)
	two.json(b, "POST", "/session/step-up", map[string]string{"password": password}, nil)
	two.json(b, "POST", "/disposals/"+batch.ID+"/approve", map[string]string{}, nil)
	b.ResetTimer()
	var v api.Batch
	for v.FinishedAt == nil {
		time.Sleep(200 * time.Millisecond)
		one.json(b, "GET", "/disposals/"+batch.ID, nil, &v)
	}
	b.StopTimer()
	if v.Destroyed != items {
		b.Fatalf("%d of %d were destroyed", v.Destroyed, items)
	}
	took := v.FinishedAt.Sub(*v.StartedAt)
	perSecond := float64(items) / took.Seconds()
	fmt.Printf("disposal of %d items with 3 objects each, versioned S3: %.0f items/s (aim 50)\n", items, perSecond)
	b.ReportMetric(perSecond, "items/s")
	b.ReportMetric(0, "ns/op")
}

// officer is a records officer who is signed in.
func (h *house) officer(b *testing.B, name string) *house {
	b.Helper()
	if _, errs, status := servers.Run(b, password+"\n", "user", "add", "--own-password", "--data", h.dir, name, "--name", "Example Officer", "--role", "records-officer"); status != 0 {
		b.Fatal(errs)
	}
	o := &house{Serving: h.Serving, dir: h.dir, team: h.team}
	o.json(b, "POST", "/session", map[string]string{"username": name, "password": password}, nil)
	return o
}

func (h *house) due(b *testing.B) []api.DueItem {
	b.Helper()
	var page struct{ Items []api.DueItem }
	h.json(b, http.MethodGet, "/due?limit=1", nil, &page)
	return page.Items
}

// settle waits until an item's previews are made.
func (h *house) settle(b *testing.B, item string) {
	b.Helper()
	for {
		var d api.ItemDetail
		h.json(b, "GET", "/items/"+item, nil, &d)
		if d.Deriving == "done" {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}
