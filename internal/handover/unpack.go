package handover

import (
	"archive/tar"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"

	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/referral"
)

// ErrPackage means that a package is not what its sender signed, or not whole.
var ErrPackage = errors.New("the package is not whole, or was changed")

// inPackage is what the files of a package are called.
var inPackage = regexp.MustCompile(`^(README\.txt|SHA256SUMS|statement\.json|items/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(metadata\.json|receipt\.json|manifest\.json|original\.[a-z0-9]{1,8}))$`)

// maxText bounds a file of a package that is not a picture.
const maxText = 16 << 20

// Unpacked is what a package held.
type Unpacked struct {
	Statement
	Drawn int // annotations, each version
	Asked int // questions, each with its thread
}

// Unpack checks a package and unpacks it into a folder that is not there yet.
// It needs the receiver's identities and the public half of the key that the
// sender signs with, and nothing else. What it refuses it leaves nothing of.
func Unpack(src io.Reader, ids archive.Identities, public ed25519.PublicKey, dir string) (out Unpacked, err error) {
	plain, err := ids.Reader(src)
	if err != nil {
		return out, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return out, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return out, err
	}
	defer root.Close()
	u := &unpacker{root: root, made: map[string]bool{}}
	if err := u.all(plain); err != nil {
		return out, err
	}
	if out.Statement, err = u.statement(public); err != nil {
		return out, err
	}
	asked := map[referral.ID]bool{} // one that is about several items is with each
	for _, id := range out.Items {
		data, err := u.item(public, id)
		if err != nil {
			return out, fmt.Errorf("item %s: %w", id, err)
		}
		out.Drawn += len(data.Annotations)
		for _, q := range data.Questions {
			asked[q.Referral] = true
		}
	}
	out.Asked = len(asked)
	return out, nil
}

type unpacker struct {
	root  *os.Root
	files []File
	made  map[string]bool
}

// all writes every file, and hashes it.
func (u *unpacker) all(plain io.Reader) error {
	r := tar.NewReader(plain)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, plain) // age says only at the end that nothing was cut off
			return err
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPackage, err)
		}
		if h.Typeflag != tar.TypeReg || !inPackage.MatchString(h.Name) || u.made[h.Name] {
			return fmt.Errorf("%w: it has a file that does not belong in it", ErrPackage)
		}
		u.made[h.Name] = true
		if err := u.write(h, r); err != nil {
			return err
		}
	}
}

func (u *unpacker) write(h *tar.Header, from io.Reader) error {
	if err := u.root.MkdirAll(path.Dir(h.Name), 0o700); err != nil {
		return err
	}
	f, err := u.root.OpenFile(h.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), from)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	u.files = append(u.files, File{h.Name, n, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// statement checks the list of files, which comes last.
func (u *unpacker) statement(public ed25519.PublicKey) (s Statement, err error) {
	last := len(u.files) - 1
	if last < 0 || u.files[last].Path != "statement.json" {
		return s, fmt.Errorf("%w: it has no statement at its end", ErrPackage)
	}
	signed, err := u.read("statement.json")
	if err != nil {
		return s, err
	}
	text, err := keyring.VerifyDocument(public, kindStatement, signed)
	if err != nil {
		return s, fmt.Errorf("%w: its statement was not signed by that key", ErrPackage)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.V != 1 {
		return s, fmt.Errorf("%w: its statement is of another version", ErrPackage)
	}
	if !slices.Equal(s.Files, u.files[:last]) {
		return s, fmt.Errorf("%w: its files are not those that its statement lists", ErrPackage)
	}
	return s, nil
}

// item checks that an item's picture and receipt are those of its own signed
// manifest, and gives what is recorded of it.
func (u *unpacker) item(public ed25519.PublicKey, id media.ItemID) (data Metadata, err error) {
	if !media.ValidID(string(id)) {
		return data, ErrPackage
	}
	dir := "items/" + string(id) + "/"
	manifest, err := u.read(dir + "manifest.json")
	if err != nil {
		return data, err
	}
	receipt, err := u.read(dir + "receipt.json")
	if err != nil {
		return data, err
	}
	m, err := keyring.VerifyReceipt(public, receipt, manifest)
	if err != nil || m.Item != id {
		return data, fmt.Errorf("%w: its manifest and receipt do not belong together", ErrPackage)
	}
	want := File{dir + "original" + m.Format.Ext(), m.PlainBytes, hex.EncodeToString(m.PlainSHA256[:])}
	if !slices.Contains(u.files, want) {
		return data, fmt.Errorf("%w: its picture is not that of its manifest", ErrPackage)
	}
	text, err := u.read(dir + "metadata.json")
	if err != nil {
		return data, err
	}
	if err := json.Unmarshal(text, &data); err != nil || data.V != 1 || data.Item != id {
		return data, fmt.Errorf("%w: what is recorded of it is of another item, or of another version", ErrPackage)
	}
	return data, nil
}

func (u *unpacker) read(name string) ([]byte, error) {
	f, err := u.root.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: a file is missing", ErrPackage)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err == nil && len(text) > maxText {
		err = ErrPackage
	}
	return text, err
}
