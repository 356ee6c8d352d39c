package process

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A stop finishes the upload in flight and ends with status 0; what was
// acknowledged is there at the next start.
func TestStopFinishesUploads(t *testing.T) {
	dir := deploy(t)
	s := serve(t, dir)
	nurse := signIn(t, s.URL, "nurse", http.DefaultClient)
	nurse.register()
	form, kind := nurse.form(phone(t))
	asked := make(chan struct{})
	nurse.client = &http.Client{Transport: asksFirst{asked}}
	in, out := io.Pipe()
	type outcome struct {
		item string
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		item, err := nurse.upload(kind, in)
		done <- outcome{item, err}
	}()
	<-asked // so it is in flight there, not only here
	if _, err := out.Write(form[:len(form)/2]); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGTERM)
	address := strings.TrimPrefix(s.URL, "http://")
	for range 200 { // until it takes no more
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			break
		}
		_ = c.Close()
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		t.Error("it still takes connections")
	}
	if _, err := out.Write(form[len(form)/2:]); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	got := <-done
	if got.err != nil {
		t.Fatalf("the upload in flight: %v", got.err)
	}
	if status := s.Wait(); status != 0 {
		t.Errorf("status %d\n%s", status, s.Log(t))
	}
	s = serve(t, dir)
	nurse = signIn(t, s.URL, "nurse", http.DefaultClient)
	if resp, b := nurse.picture(got.item); resp.StatusCode != http.StatusOK || !bytes.HasPrefix(b, []byte{0xff, 0xd8}) {
		t.Errorf("after the next start: %d", resp.StatusCode)
	}
}

// asksFirst sends a body only when the server has asked for it (RFC 9110,
// section 10.1.1), and tells the channel.
type asksFirst struct{ asked chan<- struct{} }

func (a asksFirst) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(a.asked) }}))
	r.Header.Set("Expect", "100-continue")
	return (&http.Transport{ExpectContinueTimeout: time.Minute}).RoundTrip(r)
}

// However often the server is killed amid uploads: what was acknowledged is
// there, every item has its picture, and objects without an item are swept.
func TestKilledAmidUploads(t *testing.T) {
	dir := deploy(t)
	var acknowledged []string
	for round := range 4 {
		s := serve(t, dir)
		nurse := signIn(t, s.URL, "nurse", http.DefaultClient)
		if round == 0 {
			nurse.register()
		}
		check(t, nurse, acknowledged)
		form, kind := nurse.form(append(phone(t), make([]byte, 1<<20)...))
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for {
					item, err := nurse.upload(kind, bytes.NewReader(form))
					if err != nil {
						return // killed
					}
					mu.Lock()
					acknowledged = append(acknowledged, item)
					mu.Unlock()
				}
			})
		}
		time.Sleep(300*time.Millisecond + time.Duration(rand.IntN(300))*time.Millisecond)
		s.Signal(syscall.SIGKILL)
		s.Wait()
		wg.Wait()
	}
	if len(acknowledged) == 0 {
		t.Fatal("nothing was ever acknowledged, so nothing was tested")
	}
	// What a crash between an object and its row leaves, beside what these did.
	orphan := objects(t, dir)[0] + "-of-nobody"
	if err := os.WriteFile(orphan, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * time.Hour) // an upload under way is not taken for an orphan
	for _, path := range objects(t, dir) {
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, dir)
	nurse := signIn(t, s.URL, "nurse", http.DefaultClient)
	for range 200 { // the sweep is in the background
		if _, err := os.Stat(orphan); os.IsNotExist(err) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	items := check(t, nurse, acknowledged)
	if left := objects(t, dir); len(left) != items {
		t.Errorf("%d objects of %d items", len(left), items)
	}
}

// check sees that each of the items is listed, and that each listed item has its
// picture; it gives how many there are.
func check(t *testing.T, nurse *person, want []string) int {
	t.Helper()
	listed := nurse.items()
	for _, item := range want {
		if !slices.Contains(listed, item) {
			t.Errorf("an item that was acknowledged is gone")
		}
	}
	for _, item := range listed {
		if resp, b := nurse.picture(item); resp.StatusCode != http.StatusOK || !bytes.HasSuffix(b, []byte{0xff, 0xd9}) {
			t.Errorf("an item has no picture: %d", resp.StatusCode)
		}
	}
	return len(listed)
}
