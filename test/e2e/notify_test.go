package e2e

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// Whom a question is for is told by mail that it waits; the mail says nothing
// about a patient.
func TestMailSaysThatSomethingWaits(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			post := servers.Mail(t)
			h := open(t, kind, func(c *config.Config) {
				c.PublicURL = "https://wardseal.example"
				c.Mail = config.Mail{Server: post.Server, From: "wardseal@example.org", CAFile: post.CAFile}
			})
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- h.sys.Work(ctx) }()
			defer func() { stop(); <-done }()
			for name, address := range map[string]string{"nurse": "nurse@example.org", "consultant": "consultant@example.org", "auditor": "auditor@example.org"} {
				h.as(name).must("PUT", "/session/email", http.StatusNoContent, body{"email": address})
			}
			wait := func(n int, to, subject string) string {
				t.Helper()
				for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(100 * time.Millisecond) {
					if all := post.Received(t); len(all) >= n {
						for _, m := range all {
							if strings.Contains(m, to) && strings.Contains(m, subject) {
								return m
							}
						}
						break
					}
				}
				t.Fatalf("no mail to %s about %q, but %d: %q", to, subject, len(post.Received(t)), post.Received(t))
				return ""
			}
			item := h.filed()
			q := h.question(item, "consultant", "Is the secret-phrase infected?")
			m := wait(1, "consultant@example.org", "You are asked about a picture")
			if !strings.Contains(m, "https://wardseal.example/inbox") || !strings.Contains(m, "Auto-Submitted: auto-generated") {
				t.Errorf("the mail: %s", m)
			}
			for _, told := range []string{"secret-phrase", "Test Patient", "9990000018", "999 000 0018", string(q.ID), "left heel", "Example nurse"} {
				if strings.Contains(m, told) {
					t.Errorf("the mail says %q", told)
				}
			}
			h.as("consultant").must("POST", "/referrals/"+string(q.ID)+"/messages", http.StatusNoContent, body{"kind": "answer", "text": "No"})
			wait(2, "nurse@example.org", "Your question was answered")
			h.as("nurse").must("POST", "/incidents", http.StatusCreated, body{"kind": "breach", "text": "Lost my phone"})
			wait(3, "auditor@example.org", "waits for your review")
			h.as("nurse").must("POST", "/incidents", http.StatusCreated, body{"kind": "problem", "text": "Slow"})
			h.as("consultant").must("PUT", "/session/email", http.StatusNoContent, body{"email": ""})
			h.question(item, "consultant", "Again?")
			for who, n := range map[string]int{"consultant": 1, "auditor": 1, "nurse": 1, "colleague": 0} { // nobody was told anything else
				if jobs, err := h.sys.Store.JobsFor(ctx, h.ids[who]); err != nil || len(jobs) != n {
					t.Errorf("%s is told %d things, want %d: %v", who, len(jobs), n, err)
				}
			}
		})
	}
}

// A mail server that is away does not stop a question, and is tried again.
func TestMailServerIsAway(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		c.Mail = config.Mail{Server: "127.0.0.1:1", From: "wardseal@example.org"}
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.sys.Work(ctx) }()
	h.as("consultant").must("PUT", "/session/email", http.StatusNoContent, body{"email": "consultant@example.org"})
	h.question(h.filed(), "consultant", "Is it infected?")
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) { // until it was tried
		counts, err := h.sys.Store.JobCounts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if counts["dead"] != 0 || counts["done"] != 0 || time.Since(start) > 30*time.Second {
			t.Fatalf("%v", counts)
		}
		if jobs, err := h.sys.Store.JobsFor(ctx, h.ids["consultant"]); err != nil || len(jobs) == 1 && jobs[0].Attempts > 0 && jobs[0].LastError != "" {
			break
		}
	}
	stop()
	<-done
}

// Only one plain address is taken.
func TestMailAddress(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		c.Mail = config.Mail{Server: "127.0.0.1:1", From: "wardseal@example.org"}
	})
	nurse := h.as("nurse")
	for _, wrong := range []string{"nurse", "Nurse <nurse@example.org>", "a@example.org, b@example.org", "a@example.org\r\nBcc: b@example.org", strings.Repeat("a", 250) + "@example.org"} {
		if a := nurse.ask("PUT", "/session/email", body{"email": wrong}); a.code() != "email-form" {
			t.Errorf("%q: %d %s", wrong, a.status, a.code())
		}
	}
	if a := nurse.submit("/account/email", url.Values{"email": {"nurse"}}); !strings.Contains(string(a.body), `id="email-error"`) || !strings.Contains(string(a.body), `value="nurse"`) {
		t.Errorf("the page: %d", a.status)
	}
	if a := nurse.submit("/account/email", url.Values{"email": {"nurse@example.org"}}); !strings.Contains(string(a.body), "Your e-mail address is kept") || !strings.Contains(string(a.body), `value="nurse@example.org"`) {
		t.Errorf("the page: %d", a.status)
	}
	var got struct{ Email string }
	nurse.must("GET", "/session/email", http.StatusOK, nil).into(t, &got)
	if got.Email != "nurse@example.org" {
		t.Errorf("it is %q", got.Email)
	}
}
