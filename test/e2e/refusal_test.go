package e2e

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
)

func objects(t *testing.T, h *house) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(h.data, "objects"), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Each bad upload gets a clear answer and an event, and leaves nothing.
func TestBadUploads(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Limits.MaxUploadBytes = limit })
	good := phone(t)
	bomb := bytes.Clone(good)
	frame := bytes.LastIndex(bomb, []byte{0xff, 0xc0, 0, 17})
	binary.BigEndian.PutUint16(bomb[frame+5:], 65500)
	binary.BigEndian.PutUint16(bomb[frame+7:], 65500)
	nurse := h.as("nurse")
	for name, c := range map[string]struct {
		file   []byte
		change map[string]string
		status int
		code   string
	}{
		"empty":           {[]byte{}, nil, 422, "file-empty"},
		"no file":         {nil, nil, 422, "file-missing"},
		"truncated":       {good[:len(good)-100], nil, 422, "media-truncated"},
		"text":            {[]byte("hello"), nil, 415, "format-unknown"},
		"JPEG XL":         {[]byte("\x00\x00\x00\x0cJXL \r\n\x87\n"), nil, 415, "format-not-accepted"},
		"PDF":             {[]byte("%PDF-1.7 and so on"), nil, 415, "format-not-accepted"},
		"bomb":            {bomb, nil, 422, "media-too-many-pixels"},
		"one byte over":   {append(bytes.Clone(good), make([]byte, limit+1-len(good))...), nil, 413, "file-too-large"},
		"far over":        {make([]byte, 2<<20), nil, 413, "file-too-large"},
		"unknown patient": {good, map[string]string{"patient_number": "9434765919"}, 422, "patient-unknown"},
		"check digit":     {good, map[string]string{"patient_number": "9990000019"}, 422, "patient-number-check-digit"},
		"other birthday":  {good, map[string]string{"date_of_birth": "1950-02-28"}, 422, "date-of-birth-mismatch"},
		"unknown team":    {good, map[string]string{"team": "0190a5e6-0000-7000-8000-000000000000"}, 422, "team-unknown"},
		"no consent":      {good, map[string]string{"consent": ""}, 422, "consent-missing"},
		"unknown field":   {good, map[string]string{"pateint": "x"}, 422, "field-unknown"},
		"in the future":   {good, map[string]string{"captured_at": "2199-01-01T00:00:00Z"}, 422, "captured-at-future"},
	} {
		t.Run(name, func(t *testing.T) {
			before := h.events("item.refused")
			d := h.details()
			for k, v := range c.change {
				d[k] = v
			}
			a := nurse.upload(c.file, d)
			if a.status != c.status || a.code() != c.code {
				t.Errorf("%d %s, want %d %s: %s", a.status, a.code(), c.status, c.code, a.body)
			}
			if a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("it is %s", a.header.Get("Content-Type"))
			}
			if h.events("item.refused") != before+1 {
				t.Error("it is not recorded")
			}
			if n := objects(t, h); n != 0 {
				t.Errorf("%d objects are stored", n)
			}
		})
	}
}

func TestRepeatedUploads(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse, d := h.as("nurse"), h.details()
		d["idempotency_key"] = "k-1"
		var first, again api.Filing
		a := nurse.upload(phone(t), d)
		a.into(t, &first)
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a = nurse.upload(phone(t), d); a.status != http.StatusOK {
			t.Errorf("the same request: %d %s", a.status, a.body)
		}
		a.into(t, &again)
		if !again.Repeated || again.Item.ID != first.Item.ID {
			t.Errorf("%+v", again)
		}
		if a = nurse.upload(append(phone(t), 0), d); a.status != http.StatusConflict || a.code() != "idempotency-key-reused" {
			t.Errorf("other bytes: %d %s", a.status, a.code())
		}
		delete(d, "idempotency_key")
		if a = nurse.upload(phone(t), d); a.status != http.StatusOK {
			t.Errorf("the same file: %d %s", a.status, a.body)
		}
		d["allow_repeat"] = "true"
		if a = nurse.upload(phone(t), d); a.status != http.StatusCreated {
			t.Errorf("the same file, meant: %d %s", a.status, a.body)
		}
	})
}

// What is appended to a picture to make it a second thing is gone.
func TestPolyglots(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.as("nurse")
	for _, tail := range []string{"<html><script>alert(1)</script>", "PK\x03\x04 an archive", "%PDF-1.4 a document"} {
		a := nurse.upload(append(phone(t), tail...), h.details())
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		var f api.Filing
		a.into(t, &f)
		got := nurse.must("GET", "/items/"+string(f.Item.ID)+"/renditions/original-clean", http.StatusOK, nil)
		if bytes.Contains(got.body, []byte(tail[:8])) || !bytes.HasSuffix(got.body, []byte{0xff, 0xd9}) {
			t.Errorf("%q survives", tail)
		}
	}
}
