// Package bench measures the whole way beside raw storage, in one run. It
// prints ratios: absolute figures are the machine's. The server is the real
// program in a process of its own; the clients are in this one.
package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/test/servers"
)

var ctx = context.Background()

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == filesArgument {
		fmt.Fprintln(os.Stderr, serveFiles(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	if len(os.Args) == 3 && os.Args[1] == proxyArgument {
		fmt.Fprintln(os.Stderr, serveBucket(os.Args[2]))
		os.Exit(1)
	}
	if len(os.Args) == 2 && os.Args[1] == derivesHere {
		os.Exit(derive.Child(os.Stdin, os.Stdout))
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	servers.Main(m)
}

// photo is a JPEG of about 4 MB: noise, which no codec makes smaller.
func photo(b *testing.B) []byte {
	b.Helper()
	path := filepath.Join(b.TempDir(), "photo.jpg")
	cmd := exec.Command(servers.Binary(b, "convert"), "-size", "2560x1920", "xc:gray", "-seed", "1", "+noise", "Random", "-quality", "95", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("convert: %v\n%s", err, out)
	}
	p, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	if len(p) < 3<<20 || len(p) > 5<<20 {
		b.Fatalf("the photo has %d bytes", len(p))
	}
	return p
}

// BenchmarkWay prints the table of what the whole way costs beside raw storage.
func BenchmarkWay(b *testing.B) {
	var t table
	srv := servers.VersityGW(b)
	for _, kind := range []string{"filesystem", "S3"} {
		b.Run(kind, func(b *testing.B) {
			var h *house
			var r raw
			writes, reads := "written raw with fsync", "ranged GETs of a plain file server"
			if kind == "S3" {
				h, r = open(b, &srv), newBucket(b, srv)
				writes, reads = "raw PUT to the same server", "ranged GETs of the same server"
			} else {
				h, r = open(b, nil), newFolder(b)
			}
			photos(b, &t, kind, h, r, writes, reads)
			videos(b, &t, kind, h, r, reads)
			b.ReportMetric(0, "ns/op")
		})
	}
	t.print()
}

// The aims. A folder has no server of its own to compare views with: a plain
// file server passes what is in the kernel's memory on without looking at it,
// so it is there for scale.
var (
	uploadAim = map[string]float64{"filesystem": 0.5, "S3": 0.7}
	viewAim   = map[string]float64{"S3": 0.6}
)

func photos(b *testing.B, t *table, kind string, h *house, r raw, writes, reads string) {
	file := photo(b)
	upload := func(int) error {
		_, err := h.upload("a.jpg", bytes.NewReader(file), int64(len(file)))
		return err
	}
	// A turn finds what the turn before found: an empty store, and memory that
	// has been used before.
	t.between = func() {
		if err := errors.Join(empty(h.objects), r.tidy()); err != nil {
			b.Fatal(err)
		}
	}
	t.compare(b, "upload a 4 MB photo, "+kind, upload, writes, func(int) error { return r.put(file) }, uploadAim[kind])
	t.compare(b, "age and nothing else, "+kind, encrypted(b, r, file, false), writes, func(int) error { return r.put(file) }, 0)
	t.compare(b, "age and three SHA-256, "+kind, encrypted(b, r, file, true), writes, func(int) error { return r.put(file) }, 0)
	if kind == "S3" {
		t.compare(b, "upload a 4 MB photo, S3", upload, "exiftool | age, curl", pipeline(b, servers.VersityGW(b), h.dir+"/keys/escrow.txt", file), 6)
	}
	t.between = nil
	item, err := h.upload("a.jpg", bytes.NewReader(file), int64(len(file)))
	if err != nil {
		b.Fatal(err)
	}
	n, err := h.do("GET", "/items/"+item+"/renditions/original-clean", new(bytes.Buffer))
	if err != nil {
		b.Fatal(err)
	}
	if err := r.keep("photo", bytes.NewReader(file), int64(len(file))); err != nil {
		b.Fatal(err)
	}
	t.compare(b, "view a 4 MB photo, "+kind, func(int) error { return h.view(item, n) },
		reads, func(int) error { return r.get("photo", 0, int64(len(file))) }, viewAim[kind])
}
