package seal_test

import (
	"bytes"
	"compress/zlib"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	agetest "c2sp.org/CCTV/age"
	"filippo.io/age"

	"github.com/wardseal/wardseal/crypto/seal"
)

// vector is one of the test vectors of the age format (c2sp.org/CCTV/age).
type vector struct {
	expect     string
	payload    []byte // SHA-256 of what may be given out
	fileKey    []byte
	identities []string
	file       []byte
}

func parseVector(t *testing.T, b []byte) (v vector) {
	t.Helper()
	v.file = b
	unhex := func(s string) []byte {
		out, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for {
		line, rest, ok := bytes.Cut(v.file, []byte("\n"))
		if !ok {
			t.Fatal("it has no file in it")
		}
		v.file = rest
		switch key, value, _ := strings.Cut(string(line), ": "); key {
		case "":
			return v
		case "expect":
			v.expect = value
		case "payload":
			v.payload = unhex(value)
		case "file key":
			v.fileKey = unhex(value)
		case "identity":
			v.identities = append(v.identities, value)
		case "compressed":
			defer func() {
				z, err := zlib.NewReader(bytes.NewReader(v.file))
				if err != nil {
					t.Fatal(err)
				}
				if v.file, err = io.ReadAll(z); err != nil {
					t.Fatal(err)
				}
			}()
		case "passphrase", "armored", "comment":
		default:
			t.Fatalf("what is %q?", key)
		}
	}
}

// All vectors go through the reader twice. As they are, the one that is made as
// objects are is opened, and every other is refused, however valid: armour,
// passphrases, X25519, several recipients, odd stanzas, broken headers. Then
// the payload of each whose header age can read is put behind a header as
// objects have it, with the vector's own file key, so that the payload is what
// decides; what age takes is opened whole, and what it refuses is refused.
func TestAgeVectors(t *testing.T) {
	entries, err := fs.ReadDir(agetest.Vectors, ".")
	if err != nil || len(entries) != 147 {
		t.Fatalf("%d vectors, not 147: %v", len(entries), err)
	}
	var opened []string
	refused, carried := 0, map[string]int{}
	for _, e := range entries {
		b, err := fs.ReadFile(agetest.Vectors, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		v := parseVector(t, b)
		ids := []seal.Identity{mint(t)}
		for _, text := range v.identities {
			if id, err := seal.ParseIdentity(text); err == nil {
				ids = append(ids, id)
			} else if strings.HasPrefix(text, "AGE-SECRET-KEY-PQ-") || !errors.Is(err, seal.ErrIdentity) {
				t.Errorf("%s: its identity: %v", e.Name(), err)
			}
		}
		any := false
		for _, id := range ids {
			any = judge(t, e.Name(), v.file, id, v.payload) || any
		}
		if any {
			opened = append(opened, e.Name())
		} else {
			refused++
		}
		if payload, ok := behindHeader(v); ok {
			id, file := underOurs(t, v.fileKey, payload)
			good := judge(t, e.Name()+", carried over", file, id, v.payload)
			if good != (v.expect != "payload failure") {
				t.Errorf("%s, carried over: opened: %v", e.Name(), good)
			}
			carried[fmt.Sprintf("opened: %v", good)]++
		}
	}
	t.Logf("%d vectors: %v opened, %d refused; payloads behind our header: %v", len(entries), opened, refused, carried)
	if len(opened) != 1 || opened[0] != "hybrid" || carried["opened: true"] != 19 || carried["opened: false"] != 18 {
		t.Errorf("opened %v; carried over %v", opened, carried)
	}
}

// judge reads a file in both ways, which must agree: whole and right, or not
// at all. It reports whether it was opened.
func judge(t *testing.T, name string, file []byte, id seal.Identity, sum []byte) bool {
	t.Helper()
	whole, err := all(bytes.NewReader(file), int64(len(file)), id)
	if err != nil && !errors.Is(err, seal.ErrRefused) {
		t.Errorf("%s: %v", name, err)
	}
	f, ferr := seal.Open(bytes.NewReader(file), int64(len(file)), id)
	var read []byte
	if ferr == nil {
		read, ferr = io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	}
	if (err == nil) != (ferr == nil) || ferr != nil && !errors.Is(ferr, seal.ErrRefused) {
		t.Errorf("%s: whole: %v; at an offset: %v", name, err, ferr)
	}
	if err != nil {
		return false
	}
	if got := sha256.Sum256(whole); !bytes.Equal(got[:], sum) || !bytes.Equal(read, whole) {
		t.Errorf("%s: another content", name)
	}
	return true
}

// behindHeader gives a vector's payload, if age can read its header.
func behindHeader(v vector) ([]byte, bool) {
	if v.fileKey == nil || v.expect != "success" && v.expect != "payload failure" || !bytes.HasPrefix(v.file, []byte("age-encryption.org/v1\n")) {
		return nil, false
	}
	_, rest, found := bytes.Cut(v.file, []byte("\n--- "))
	_, payload, ended := bytes.Cut(rest, []byte("\n"))
	return payload, found && ended
}

// underOurs puts a payload behind a header of the one shape that objects have.
func underOurs(t *testing.T, fileKey, payload []byte) (seal.Identity, []byte) {
	t.Helper()
	id := mint(t)
	key, err := age.ParseHybridIdentity(id.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	stanzas, err := key.Recipient().Wrap(fileKey)
	if err != nil || len(stanzas) != 1 {
		t.Fatalf("%d stanzas, %v", len(stanzas), err)
	}
	b64 := base64.RawStdEncoding
	header := "age-encryption.org/v1\n-> " + stanzas[0].Type + " " + strings.Join(stanzas[0].Args, " ") + "\n" + b64.EncodeToString(stanzas[0].Body) + "\n---"
	mac, err := hkdf.Key(sha256.New, fileKey, nil, "header", 32)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, mac)
	h.Write([]byte(header))
	return id, append([]byte(header+" "+b64.EncodeToString(h.Sum(nil))+"\n"), payload...)
}
