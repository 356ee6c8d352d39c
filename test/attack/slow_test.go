package attack

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Connections that dribble headers or bodies, a thousand of each with "make
// attack", and headers of a megabyte do not keep others from being served; and
// they are cut off in the end.
func TestDribblersAreOutwaited(t *testing.T) {
	t.Parallel()
	n := times(t, "DRIBBLERS", 100)
	s := serve(t, "--no-derivatives")
	address := strings.TrimPrefix(s.URL, "http://")
	stop := make(chan struct{})
	var open sync.WaitGroup
	var cut sync.Map
	dribble := func(kind, start string, piece string) {
		for i := range n {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatalf("dribbler %d: %v", i, err)
			}
			open.Go(func() {
				defer c.Close()
				go func() { <-stop; c.Close() }()
				if _, err := io.WriteString(c, start); err != nil {
					return
				}
				began := time.Now()
				go func() {
					for range time.Tick(time.Second) {
						if _, err := io.WriteString(c, piece); err != nil {
							return
						}
					}
				}()
				_, _ = io.Copy(io.Discard, c) // until the server closes it
				select {
				case <-stop:
				default:
					cut.Store(fmt.Sprint(kind, i), time.Since(began))
				}
			})
		}
	}
	dribble("headers", "GET /sign-in HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n")
	dribble("bodies", "POST /sign-in HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\nusername=", "a")
	huge := make(chan int, 20)
	go func() { // headers of a megabyte, one after the other
		for range cap(huge) {
			r, _ := http.NewRequest("GET", s.URL+"/sign-in", nil)
			r.Header.Set("X-Long", strings.Repeat("x", 1<<20))
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				huge <- 431 // it was cut off before it was sent whole
				continue
			}
			_ = resp.Body.Close()
			huge <- resp.StatusCode
		}
	}()
	var took []time.Duration
	client := &http.Client{Timeout: 30 * time.Second}
	for range 2 * n {
		began := time.Now()
		resp, err := client.Get(s.URL + "/sign-in")
		if err != nil {
			t.Fatalf("a healthy request: %v", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if took = append(took, time.Since(began)); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("a healthy request: %d %v", resp.StatusCode, err)
		}
	}
	for range cap(huge) {
		if status := <-huge; status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of a megabyte: %d", status)
		}
	}
	slices.Sort(took)
	t.Logf("%d connections that dribble headers and %d that dribble bodies: %d healthy requests, median %s, p99 %s, longest %s", n, n, len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	kinds := map[string]time.Duration{"headers": 20 * time.Second, "bodies": 90 * time.Second}
	if n < 1000 {
		delete(kinds, "bodies") // they are given a minute
	}
	for kind, within := range kinds {
		left := n
		for end := time.Now().Add(within); left > 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			left = n
			for i := range n {
				if _, ok := cut.Load(fmt.Sprint(kind, i)); ok {
					left--
				}
			}
		}
		if left > 0 {
			t.Errorf("%d of %d that dribble %s are still there", left, n, kind)
		}
	}
	close(stop)
	open.Wait()
}
