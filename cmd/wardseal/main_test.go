package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/internal/config"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == config.FilmArgument {
		os.Exit(derive.FilmChild(os.Args[2:]))
	}
	if len(os.Args) == 2 && os.Args[1] == config.ChildArgument {
		os.Exit(derive.Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func TestDemo(t *testing.T) {
	var out, log bytes.Buffer
	if status := run([]string{"demo", "--once", "--data", filepath.Join(t.TempDir(), "demo")}, &out, &log); status != 0 {
		t.Fatalf("status %d\n%s\n%s", status, &out, &log)
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); !strings.HasPrefix(lines[len(lines)-1], "demo: all") {
		t.Errorf("its last line is %q", lines[len(lines)-1])
	}
	for _, secret := range []string{"wss_", "wsl_", "9990000018", "AGE-SECRET"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

func TestStrip(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "clean")
	good, bad := filepath.Join(dir, "IMG_0001.JPG"), filepath.Join(dir, "letter.pdf")
	if err := os.WriteFile(good, phoneJPEG, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte("%PDF-1.7"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said, log bytes.Buffer
	if status := run([]string{"strip", "-o", out, good}, &said, &log); status != 0 || !strings.Contains(said.String(), "clean") || !strings.Contains(said.String(), "GPS") {
		t.Errorf("status %d: %s%s", status, &said, &log)
	}
	b, err := os.ReadFile(filepath.Join(out, "IMG_0001.JPG"))
	if err != nil || bytes.Contains(b, []byte("SN-4711")) || len(b) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	said.Reset()
	if status := run([]string{"strip", "-o", filepath.Join(out, "again"), "--receipt", good, bad}, &said, &log); status != 3 || !strings.Contains(said.String(), "refused") {
		t.Errorf("status %d: %s", status, &said)
	}
}

func TestServeWantsAWholeConfiguration(t *testing.T) {
	var out, log bytes.Buffer
	status := run([]string{"serve", "--data", t.TempDir(), "--objects-kind", "s3", "--public-url", "http://hospital.example"}, &out, &log)
	for _, want := range []string{"--objects-endpoint", "--objects-bucket", "--public-url must be https"} {
		if status == 0 || !strings.Contains(log.String(), want) {
			t.Errorf("status %d, and it does not say %s:\n%s", status, want, &log)
		}
	}
}

func TestReceiptsAreJSON(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "a.jpg")
	if err := os.WriteFile(good, phoneJPEG, 0o600); err != nil {
		t.Fatal(err)
	}
	var said, log bytes.Buffer
	if status := run([]string{"strip", "-o", filepath.Join(dir, "o"), "--receipt", good}, &said, &log); status != 0 {
		t.Fatalf("%d %s", status, &log)
	}
	b, err := os.ReadFile(filepath.Join(dir, "o", "receipts.json"))
	var all []stripped
	if err != nil || json.Unmarshal(b, &all) != nil || len(all) != 1 || all[0].Receipt == nil || len(all[0].Receipt.Removed) < 5 {
		t.Errorf("%v: %s", err, b)
	}
}
