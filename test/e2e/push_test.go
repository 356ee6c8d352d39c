package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// A browser is told that something waits, by its maker's service, which can
// read nothing of it and is told nothing of a patient either.
func TestBrowsersAreTold(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			service := servers.Browsers(t)
			h := open(t, kind, func(c *config.Config) {
				c.Push = config.Push{Services: []string{service.Host}, Contact: "it@example.org", CAFile: service.CAFile}
			})
			h.work()
			sub := body{"endpoint": service.Endpoint, "p256dh": service.Key, "auth": service.Auth}
			consultant := h.as("consultant")
			var key struct{ Key string }
			consultant.must("GET", "/session/push", http.StatusOK, nil).into(t, &key)
			if len(key.Key) != 87 || !strings.Contains(string(consultant.send("GET", "/account", nil).body), `data-key="`+key.Key+`"`) {
				t.Errorf("the key to subscribe with: %q", key.Key)
			}
			consultant.must("PUT", "/session/push", http.StatusNoContent, sub)
			item := h.filed()
			told := func(n int) {
				t.Helper()
				for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
					messages, wrong := service.Received()
					if len(wrong) > 0 {
						t.Fatalf("the service is told what it cannot take: %q", wrong)
					}
					if len(messages) == n && messages[n-1] == "Something waits for you in Wardseal" {
						return
					}
					if len(messages) > n || time.Since(start) > 30*time.Second {
						t.Fatalf("%d messages, want %d: %q", len(messages), n, messages)
					}
				}
			}
			h.question(item, "consultant", "Is it infected?")
			told(1)

			// Who signs in next on the same device has it from then on.
			h.as("colleague").must("PUT", "/session/push", http.StatusNoContent, sub)
			h.question(item, "colleague", "And now?")
			told(2)
			h.question(item, "consultant", "Again?") // nobody is told
			h.as("colleague").must("POST", "/session/push/end", http.StatusNoContent, body{"endpoint": service.Endpoint})
			h.question(item, "colleague", "Once more?")
			if jobs, err := h.sys.Store.JobsFor(t.Context(), h.ids["consultant"]); err != nil || len(jobs) != 1 {
				t.Errorf("the consultant is told %d things: %v", len(jobs), err)
			}
			if jobs, err := h.sys.Store.JobsFor(t.Context(), h.ids["colleague"]); err != nil || len(jobs) != 1 {
				t.Errorf("the colleague is told %d things: %v", len(jobs), err)
			}

			// A browser that is gone is told once more and never again.
			service.Answer(http.StatusGone)
			consultant.must("PUT", "/session/push", http.StatusNoContent, sub)
			h.question(item, "consultant", "Are you there?")
			told(3)
			for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
				left, err := h.sys.Store.PushesTo(t.Context(), h.ids["consultant"])
				if err != nil || time.Since(start) > 30*time.Second {
					t.Fatalf("%d browsers: %v", len(left), err)
				}
				if len(left) == 0 {
					break
				}
			}
		})
	}
}

// A browser cannot send the server anywhere but to the services that were
// chosen, and not at all where none was.
func TestPushGoesToServicesAlone(t *testing.T) {
	t.Parallel()
	service := servers.Browsers(t)
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		c.Push = config.Push{Services: []string{service.Host, "*.push.example"}, Contact: "it@example.org", CAFile: service.CAFile}
	})
	for endpoint, want := range map[string]int{
		service.Endpoint: 204, "https://a.push.example/x": 204, "https://push.example/x": 422, "https://apush.example/x": 422, "http://" + service.Host + "/x": 422,
		"https://127.0.0.1:1/x": 422, "https://a.push.example@evil.example/x": 422, "https://evil.example/#.push.example": 422, "https://u:p@a.push.example/x": 422, "": 422,
	} {
		if a := h.as("nurse").ask("PUT", "/session/push", body{"endpoint": endpoint, "p256dh": service.Key, "auth": service.Auth}); a.status != want {
			t.Errorf("%q: %d %s, want %d", endpoint, a.status, a.code(), want)
		}
	}
	for _, in := range []body{{"endpoint": service.Endpoint, "p256dh": service.Key, "auth": "AAAA"}, {"endpoint": service.Endpoint, "p256dh": service.Auth, "auth": service.Auth}, {"endpoint": service.Endpoint, "p256dh": strings.Repeat("A", 87), "auth": service.Auth}} {
		if a := h.as("nurse").ask("PUT", "/session/push", in); a.code() != "push-service" {
			t.Errorf("keys of no browser: %d", a.status)
		}
	}
	if a := open(t, "sqlite+filesystem", nil).as("nurse").send("GET", "/account", nil); strings.Contains(string(a.body), `id="push"`) {
		t.Error("it is offered where there is no service")
	}
}
