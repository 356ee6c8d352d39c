package failure

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// dyingArgument has this program be a server that kills itself at one step of
// an upload. The argument after it is a file with its orders.
const dyingArgument = "serve-and-die"

type orders struct {
	Config config.Config
	Listen string
	Step   string
}

// steps are those of an upload, in their order. An upload whose server dies at
// one of the last two is filed.
var steps = []string{"spooled", "sniffed", "sanitised", "verified", "sealed", "half stored", "stored", "committed", "answered"}

func serveAndDie(path string) int {
	var o orders
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err == nil {
		err = o.serve()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// die is kill -9 at a step.
func (o orders) die(step string) {
	if step == o.Step {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (o orders) serve() error {
	sys, err := config.Open(context.Background(), o.Config)
	if err != nil {
		return err
	}
	u := sys.Flows().Uploads
	u.Step, u.Objects, u.Store = o.die, dyingObjects{u.Objects, o}, dyingStore{u.Store, o}
	edge, err := api.New(sys.Flows(), sys.Edge("http://"+o.Listen))
	if err != nil {
		return err
	}
	return http.ListenAndServe(o.Listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edge.ServeHTTP(w, r)
		if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/items") {
			_ = http.NewResponseController(w).Flush()
			o.die("answered")
		}
	}))
}

type dyingObjects struct {
	blob.Store
	o orders
}

func (d dyingObjects) Create(ctx context.Context, key blob.Key, r io.Reader, size int64) (blob.Info, error) {
	object, err := io.ReadAll(r)
	if err != nil {
		return blob.Info{}, err
	}
	d.o.die("sealed")
	half := len(object) / 2
	info, err := d.Store.Create(ctx, key, io.MultiReader(bytes.NewReader(object[:half]), dying{d.o}, bytes.NewReader(object[half:])), size)
	if err == nil {
		d.o.die("stored")
	}
	return info, err
}

// dying is where half of an object has been read.
type dying struct{ o orders }

func (d dying) Read([]byte) (int, error) { d.o.die("half stored"); return 0, io.EOF }

type dyingStore struct {
	transfer.UploadStore
	o orders
}

func (d dyingStore) FileItem(ctx context.Context, f meta.Filing) (media.Item, error) {
	item, err := d.UploadStore.FileItem(ctx, f)
	if err == nil {
		d.o.die("committed")
	}
	return item, err
}

// Killed at each named step of an upload: it is not there, or it is there and
// whole, and the same request again makes one item of it.
func TestKilledAtEveryStep(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, kind, nil)
			s := d.serve()
			nurse := signIn(t, d.url(), "nurse")
			nurse.register()
			s.Signal(syscall.SIGKILL)
			s.Wait()
			l := &load{t: t, most: len(steps), files: map[string]picture{}, keys: map[string]int{}}
			sent := map[string]picture{} // by key
			known := func(b []byte) bool {
				return slices.ContainsFunc(slices.Collect(maps.Values(sent)), func(p picture) bool { return bytes.Equal(p.clean, b) })
			}
			for i, step := range steps {
				behind := 500 // in memory
				if (i%2 == 0) == (kind == kinds[0]) {
					behind = 1 << 20 // through the disk
				}
				key, pic := rand.Text(), photo(t, 64, behind)
				sent[key] = pic
				l.seen.of(pic)
				l.attempts++
				if _, a := d.dieAt(nurse, step, pic, key); a.err == nil && step != "answered" {
					t.Errorf("killed when %s, it answers: %s", step, a)
				}
			}
			s = d.serve()
			listed := nurse.items()
			for _, item := range listed {
				if a := nurse.picture(item); a.status != http.StatusOK || !known(a.body) {
					t.Errorf("what was committed: %s", a)
				}
			}
			if len(listed) != 2 { // committed, and answered
				t.Errorf("%d items are visible, not 2", len(listed))
			}
			for key, pic := range sent {
				item, a := nurse.upload(pic, key)
				if l.attempts++; item == "" {
					t.Errorf("again: %s", a)
				}
				l.files[item], l.keys[key] = pic, 1
			}
			l.check(d)
			s.Signal(syscall.SIGKILL)
			s.Wait()
			l.leftovers(d)
		})
	}
}

// dieAt sends an upload to a server that dies at a step of it.
func (d *deployment) dieAt(p *person, step string, pic picture, key string) (string, answer) {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "orders")
	b, err := json.Marshal(orders{Config: d.cfg, Listen: d.at.Listen, Step: step})
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], dyingArgument, path)
	cmd.Env = append(os.Environ(), "TMPDIR="+d.temp)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	waitFor(d.t, "the dying server answers", func() bool {
		c, err := net.Dial("tcp", d.at.Listen)
		return err == nil && c.Close() == nil
	})
	item, a := p.upload(pic, key)
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		d.t.Errorf("it did not die when %s: %v %s\n%s", step, cmd.ProcessState, a, said.String())
	}
	return item, a
}
