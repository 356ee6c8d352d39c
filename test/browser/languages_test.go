package browser

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/pseudo"
)

// What the scripts put on the pages is in the reader's language too: a picture
// is sent and looked at in one that nobody speaks.
func TestScriptsSpeakTheReadersLanguage(t *testing.T) {
	t.Parallel()
	walk(t, "language.mjs", "URL="+speaking(t), "LANGUAGE="+pseudo.Tag)
}

// speaking is a server in the pseudo-language with a nurse.
func speaking(t *testing.T) string {
	t.Helper()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx, dir := t.Context(), t.TempDir()
	cfg := config.Default(dir)
	cfg.Limits.NoDerivatives = true
	if err := config.InitKeys(cfg, filepath.Join(dir, "escrow-identity.txt"), ""); err != nil {
		t.Fatal(err)
	}
	sys, err := config.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sys.Close() })
	team, err := sys.Staff.AddFirstTeam(ctx, "Tissue viability")
	if err != nil {
		t.Fatal(err)
	}
	hash, err := signin.Passwords{}.Hash(access.Person{}, password)
	if err != nil {
		t.Fatal(err)
	}
	nurse, nobody := access.Person{ID: access.NewPersonID(), Username: "nurse", Name: "Example Nurse", Role: access.Clinician}, access.Principal{}
	if err := sys.Store.AddPerson(ctx, meta.Person{Person: nurse, PasswordHash: hash}, audit.NewEvent(audit.PersonAdded, nobody, audit.Subject{Person: string(nurse.ID)})); err != nil {
		t.Fatal(err)
	}
	if err := sys.Store.Join(ctx, team.ID, nurse.ID, audit.NewEvent(audit.TeamJoined, nobody, audit.Subject{Team: string(team.ID), Person: string(nurse.ID)})); err != nil {
		t.Fatal(err)
	}
	g := sys.Flows().Guidance
	if err := g.Acknowledge(ctx, access.Principal{Person: nurse}, g.Version()); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	edge := sys.Edge(url)
	edge.Languages = pseudo.Languages(t, "../..")
	handler, err := api.New(sys.Flows(), edge)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(listener) }()
	t.Cleanup(func() { _ = srv.Shutdown(context.WithoutCancel(ctx)) })
	return url
}
