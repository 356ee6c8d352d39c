package mail_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/mail"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// Mail goes out under TLS that is checked, or not at all.
func TestSendOnlyUnderTLS(t *testing.T) {
	post := servers.Mail(t)
	cfg := mail.Config{Server: post.Server, From: "wardseal@example.org", CAFile: post.CAFile}
	send := func(cfg mail.Config, to string) error {
		t.Helper()
		s, err := mail.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s.Send(t.Context(), to, "Something waits", "Sign in.\r\n")
	}
	if err := send(cfg, "nurse@example.org"); err != nil {
		t.Fatal(err)
	}
	unknown := cfg
	unknown.CAFile = ""
	if err := send(unknown, "nurse@example.org"); err == nil {
		t.Error("a certificate that nobody vouches for is taken")
	}
	if err := send(cfg, "nurse@example.org\r\nRCPT TO:<other@example.org>"); !errors.Is(err, mail.ErrAddress) {
		t.Errorf("a broken address: %v", err)
	}
	all := post.Received(t)
	if len(all) != 1 || !strings.Contains(all[0], "Subject: Something waits") || !strings.Contains(all[0], "X-RcptTo: nurse@example.org") {
		t.Errorf("received: %q", all)
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for name, c := range map[string]mail.Config{
		"no port":        {Server: "mail.example.org", From: "a@example.org"},
		"a wrong port":   {Server: "mail.example.org:99999", From: "a@example.org"},
		"no sender":      {Server: "mail.example.org:587"},
		"plain far away": {Server: "mail.example.org:25", From: "a@example.org", Plain: true},
		"no authority":   {Server: "mail.example.org:587", From: "a@example.org", CAFile: "/nowhere"},
	} {
		if _, err := mail.New(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := mail.New(mail.Config{Server: "127.0.0.1:25", From: "a@example.org", Plain: true}); err != nil {
		t.Errorf("a relay on this machine: %v", err)
	}
}
