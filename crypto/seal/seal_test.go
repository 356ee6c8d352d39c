package seal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"

	"github.com/wardseal/wardseal/crypto/memory"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/media/clean"
	"github.com/wardseal/wardseal/test/servers"
)

// certified stands in for imaging/sanitise, in tests only.
func certified(b []byte) clean.Media {
	return clean.Certify(media.JPEG, bytes.NewReader(b), int64(len(b)))
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func mint(t testing.TB) seal.Identity {
	t.Helper()
	id, err := seal.Mint()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func encrypt(t testing.TB, id seal.Identity, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	sums, err := seal.Encrypt(t.Context(), &out, id, certified(b))
	if err != nil {
		t.Fatal(err)
	}
	if sums.PlainSHA256 != sha256.Sum256(b) || sums.ObjectSHA256 != sha256.Sum256(out.Bytes()) || sums.PlainBytes != int64(len(b)) || sums.ObjectBytes != int64(out.Len()) {
		t.Fatal("the sums are wrong")
	}
	return out.Bytes()
}

// all gives the plaintext, or nothing with the error.
func all(src io.Reader, objectBytes int64, id seal.Identity) ([]byte, error) {
	var out bytes.Buffer
	if err := seal.DecryptAll(&out, src, objectBytes, id); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// inPlace opens an object in memory, where the plaintext takes the object's place.
func inPlace(t *testing.T, object []byte, id seal.Identity, want []byte) {
	t.Helper()
	var pool memory.Pool
	m := pool.New()
	defer m.Free()
	if _, err := m.ReadFrom(bytes.NewReader(object)); err != nil {
		t.Fatal(err)
	}
	f, err := seal.Open(m, int64(len(object)), id)
	if err == nil {
		err = m.Replace(f, f.Size())
	}
	if err != nil {
		t.Fatalf("%d bytes, in place: %v", len(want), err)
	}
	got := make([]byte, m.Len())
	if _, err := m.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, in place: not what was sealed (%v)", len(want), err)
	}
}

func TestRoundTrip(t *testing.T) {
	id := mint(t)
	const chunk = 64 << 10
	for _, n := range []int{1, 2, chunk - 1, chunk, chunk + 1, 2*chunk - 1, 2 * chunk, 2*chunk + 1, 5*chunk + 17, 8*chunk - 1, 8 * chunk, 8*chunk + 1} {
		b := noise(n)
		object := encrypt(t, id, b)
		if int64(len(object)) != seal.Size(int64(n)) {
			t.Fatalf("%d bytes: the object has %d, Size says %d", n, len(object), seal.Size(int64(n)))
		}
		got, err := all(iotest.HalfReader(bytes.NewReader(object)), int64(len(object)), id)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%d bytes: DecryptAll: %v", n, err)
		}
		f, err := seal.Open(bytes.NewReader(object), int64(len(object)), id)
		if err != nil || f.Size() != int64(n) {
			t.Fatalf("%d bytes: Open: %v", n, err)
		}
		for _, at := range [][2]int{{0, n}, {n / 2, n - n/2}, {n - 1, 1}, {n / 3, 1}} {
			got := make([]byte, at[1])
			if _, err := f.ReadAt(got, int64(at[0])); err != nil && err != io.EOF || !bytes.Equal(got, b[at[0]:at[0]+at[1]]) {
				t.Fatalf("%d bytes: read %v: %v", n, at, err)
			}
			off, m := f.CipherRange(int64(at[0]), int64(at[1]))
			if off < 0 || off+m > int64(len(object)) || m < int64(at[1]) {
				t.Fatalf("%d bytes: cipher range of %v is %d+%d", n, at, off, m)
			}
		}
		inPlace(t, object, id, b)
		if k, err := f.ReadAt(make([]byte, 10), int64(n)); k != 0 || err != io.EOF {
			t.Fatalf("%d bytes: past the end: %d, %v", n, k, err)
		}
	}
}

// What CipherRange names is enough: the rest of the object may be gone.
func TestCipherRangeSuffices(t *testing.T) {
	id, b := mint(t), noise(400_000)
	object := encrypt(t, id, b)
	for off := int64(0); off < int64(len(b)); off += 33_333 {
		broken := &window{b: object}
		f, err := seal.Open(broken, int64(len(object)), id)
		if err != nil {
			t.Fatal(err)
		}
		n := min(int64(100_000), int64(len(b))-off)
		broken.from, broken.n = f.CipherRange(off, n)
		broken.only = true
		got := make([]byte, n)
		if _, err := f.ReadAt(got, off); err != nil && err != io.EOF || !bytes.Equal(got, b[off:off+n]) {
			t.Fatalf("at %d: %v", off, err)
		}
	}
}

type window struct {
	b       []byte
	from, n int64
	only    bool
}

func (w *window) ReadAt(p []byte, off int64) (int, error) {
	if w.only && (off < w.from || off+int64(len(p)) > w.from+w.n) {
		return 0, errors.New("outside of the range")
	}
	return bytes.NewReader(w.b).ReadAt(p, off)
}

func TestTamperingIsRefused(t *testing.T) {
	id, other := mint(t), mint(t)
	small := encrypt(t, id, noise(100))
	for i := range small {
		x := bytes.Clone(small)
		x[i] ^= 1
		got, err := all(bytes.NewReader(x), int64(len(x)), id)
		if !errors.Is(err, seal.ErrRefused) || got != nil {
			t.Fatalf("bit at %d: %d bytes, %v", i, len(got), err)
		}
		if _, err := seal.Open(bytes.NewReader(x), int64(len(x)), id); !errors.Is(err, seal.ErrRefused) {
			t.Fatalf("bit at %d: Open: %v", i, err)
		}
	}
	large := encrypt(t, id, noise(300_000))
	for i := 0; i < len(large); i += 997 {
		x := bytes.Clone(large)
		x[i] ^= 0x80
		if got, err := all(bytes.NewReader(x), int64(len(x)), id); !errors.Is(err, seal.ErrRefused) || got != nil {
			t.Fatalf("bit at %d: %v", i, err)
		}
		f, err := seal.Open(bytes.NewReader(x), int64(len(x)), id)
		if err == nil {
			_, err = io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size()))
		}
		if !errors.Is(err, seal.ErrRefused) {
			t.Fatalf("bit at %d: read through: %v", i, err)
		}
	}
	// Cut anywhere, chunk boundaries above all: never a shorter file.
	header := len(large) - 300_000 - 5*16
	cuts := []int{0, 1, header - 1, header, header + 1, len(large) - 1}
	for i := header; i < len(large); i += 64<<10 + 16 {
		cuts = append(cuts, i, i+1)
	}
	for _, cut := range cuts {
		x := large[:cut]
		for _, said := range []int64{int64(len(large)), int64(cut)} {
			if _, err := seal.Open(bytes.NewReader(x), said, id); err == nil {
				t.Fatalf("cut at %d, said to be %d: opened", cut, said)
			}
			if _, err := all(bytes.NewReader(x), said, id); err == nil {
				t.Fatalf("cut at %d, said to be %d: read", cut, said)
			}
		}
	}
	long := append(bytes.Clone(large), 0)
	if _, err := all(bytes.NewReader(long), int64(len(large)), id); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("trailing byte: %v", err)
	}
	if _, err := all(bytes.NewReader(small), int64(len(small)), other); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("another identity: %v", err)
	}
}

func TestOnlyWholeCleanFilesAreEncrypted(t *testing.T) {
	id := mint(t)
	if _, err := seal.NewReader(t.Context(), id, clean.Media{}); err == nil {
		t.Error("encrypted nothing")
	}
	if _, err := seal.NewReader(t.Context(), seal.Identity{}, certified([]byte("x"))); !errors.Is(err, seal.ErrIdentity) {
		t.Errorf("encrypted to nobody: %v", err)
	}
	short := clean.Certify(media.JPEG, bytes.NewReader(noise(1000)), 100_000)
	r, err := seal.NewReader(t.Context(), id, short)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that ends early: %v", err)
	}
	if _, err := r.Sums(); err == nil {
		t.Error("sums of half an object")
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err = seal.NewReader(ctx, id, certified(noise(1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

func TestBrokenSourcesAreNotTampering(t *testing.T) {
	id := mint(t)
	object := encrypt(t, id, noise(200_000))
	broken := errors.New("connection reset")
	for _, n := range []int{0, 100, 3000, 100_000} {
		r := io.MultiReader(bytes.NewReader(object[:n]), iotest.ErrReader(broken))
		if _, err := all(r, int64(len(object)), id); !errors.Is(err, broken) || errors.Is(err, seal.ErrRefused) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// The stock age command opens what is stored, given the identity.
func TestStockAgeOpensIt(t *testing.T) {
	bin := servers.Binary(t, "age")
	id, b, dir := mint(t), noise(200_001), t.TempDir()
	key, object := filepath.Join(dir, "key.txt"), filepath.Join(dir, "object.age")
	if err := errors.Join(os.WriteFile(key, []byte(id.Reveal()+"\n"), 0o600), os.WriteFile(object, encrypt(t, id, b), 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bin, "-d", "-i", key, object).Output()
	if err != nil || !bytes.Equal(out, b) {
		t.Errorf("age -d: %d bytes, %v", len(out), err)
	}
}

// Whole files of other shapes, however valid, are not ours.
func TestOtherAgeFilesAreRefused(t *testing.T) {
	id := mint(t)
	hybrid, err := age.ParseHybridIdentity(id.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	second, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string][]age.Recipient{
		"X25519":         {x.Recipient()},
		"two recipients": {hybrid.Recipient(), second.Recipient()},
	} {
		var out bytes.Buffer
		w, err := age.Encrypt(&out, to...)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("hello"))
		_ = w.Close()
		if _, err := all(&out, int64(out.Len()), id); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIdentityDoesNotPrint(t *testing.T) {
	id := mint(t)
	j, _ := json.Marshal(struct{ ID seal.Identity }{id})
	if all := fmt.Sprintf("%v %+v %#v %s %q %x", id, id, id, id, id, id) + string(j); strings.Contains(all, id.Reveal()[20:40]) || strings.Contains(all, "0x") {
		t.Error(all)
	}
	if again, err := seal.ParseIdentity(id.Reveal()); err != nil || again.Reveal() != id.Reveal() {
		t.Errorf("parse: %v", err)
	}
	x, _ := age.GenerateX25519Identity()
	if _, err := seal.ParseIdentity(x.String()); !errors.Is(err, seal.ErrIdentity) || strings.Contains(err.Error(), x.String()) {
		t.Errorf("another kind: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	id := mint(f)
	f.Add(encrypt(f, id, noise(10)))
	f.Add([]byte("age-encryption.org/v1\n-> mlkem768x25519 \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		other, err := seal.Mint()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := all(bytes.NewReader(b), int64(len(b)), other); err == nil {
			t.Errorf("opened %d bytes", len(got))
		}
		if _, err := seal.Open(bytes.NewReader(b), int64(len(b)), other); err == nil {
			t.Error("opened")
		}
	})
}

// BenchmarkEncrypt compares with age alone, which neither hashes nor checks.
func BenchmarkEncrypt(b *testing.B) {
	id, data := mint(b), noise(4<<20)
	hybrid, err := age.ParseHybridIdentity(id.Reveal())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := seal.Encrypt(b.Context(), io.Discard, id, certified(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("age", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			w, err := age.Encrypt(io.Discard, hybrid.Recipient())
			if err != nil {
				b.Fatal(err)
			}
			_, _ = w.Write(data)
			_ = w.Close()
		}
	})
}
