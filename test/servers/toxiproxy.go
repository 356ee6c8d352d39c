package servers

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

// Network is a way to a server that can be made worse.
type Network struct{ Address, name string }

var toxiproxy struct {
	sync.Mutex
	port int
}

// NewNetwork gives a way to target, a host and port, which is good at first.
func NewNetwork(tb testing.TB, target string) Network {
	tb.Helper()
	toxiproxy.Lock()
	defer toxiproxy.Unlock()
	if toxiproxy.port == 0 {
		port := FreePort(tb)
		Start(tb, exec.Command(Binary(tb, "toxiproxy"), "-host", "127.0.0.1", "-port", strconv.Itoa(port)), func() error { return answering(port) })
		toxiproxy.port = port
	}
	n := Network{Address: fmt.Sprintf("127.0.0.1:%d", FreePort(tb)), name: rand.Text()}
	toxic(tb, "POST", "/proxies", map[string]any{"name": n.name, "listen": n.Address, "upstream": target, "enabled": true})
	return n
}

// Worsen adds a toxic of toxiproxy: "latency", "bandwidth", "timeout",
// "reset_peer", "limit_data" or "slicer". stream is "upstream", to the server,
// or "downstream".
func (n Network) Worsen(tb testing.TB, kind, stream string, attributes map[string]any) {
	tb.Helper()
	toxic(tb, "POST", "/proxies/"+n.name+"/toxics", map[string]any{"name": kind + stream, "type": kind, "stream": stream, "attributes": attributes})
}

// Cut refuses connections and breaks those there are.
func (n Network) Cut(tb testing.TB) {
	tb.Helper()
	toxic(tb, "POST", "/proxies/"+n.name, map[string]any{"enabled": false})
}

// Mend makes it good again.
func (n Network) Mend(tb testing.TB) {
	tb.Helper()
	var now struct{ Toxics []struct{ Name string } }
	if err := json.Unmarshal(toxic(tb, "GET", "/proxies/"+n.name, nil), &now); err != nil {
		tb.Fatal(err)
	}
	for _, x := range now.Toxics {
		toxic(tb, "DELETE", "/proxies/"+n.name+"/toxics/"+x.Name, nil)
	}
	toxic(tb, "POST", "/proxies/"+n.name, map[string]any{"enabled": true})
}

func toxic(tb testing.TB, method, path string, in any) []byte {
	tb.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", toxiproxy.port, path), bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		tb.Fatalf("toxiproxy %s %s: %d %s %v", method, path, resp.StatusCode, said, err)
	}
	return said
}
