package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// Manifest is the signed account of one item: what was filed, by whom, for
// whom. age says nothing of who encrypted; this does.
type Manifest struct {
	Item                                     media.ItemID
	Patient                                  media.PatientID
	Team                                     access.TeamID
	Uploader                                 access.PersonID
	Format                                   media.Format
	Consent                                  media.Consent
	ConsentGivenBy                           media.ConsentGiver    // empty in version 1
	ConsentCapacity                          media.ConsentCapacity // empty in version 1
	CapturedWith                             media.CapturedWith    // empty in version 1
	FiledAt                                  time.Time
	PlainBytes, ObjectBytes                  int64
	PlainSHA256, ObjectSHA256, ReceiptSHA256 [32]byte
}

// manifestContext separates these signatures from any other use of the key
// (Ed25519ctx, RFC 8032 section 5.1).
const manifestContext = "wardseal item manifest v1"

// ErrManifest means that a manifest was not signed by the key given, or is not
// in the one canonical form.
var ErrManifest = errors.New("the manifest does not verify")

// body is the signed JSON. Its field order is the canonical one.
type body struct {
	V             int    `json:"v"`
	Item          string `json:"item"`
	Patient       string `json:"patient"`
	Team          string `json:"team"`
	Uploader      string `json:"uploader"`
	Format        string `json:"format"`
	Consent       string `json:"consent"`
	FiledAt       string `json:"filed_at"`
	PlainBytes    int64  `json:"plain_bytes"`
	ObjectBytes   int64  `json:"object_bytes"`
	PlainSHA256   string `json:"plain_sha256"`
	ObjectSHA256  string `json:"object_sha256"`
	ReceiptSHA256 string `json:"receipt_sha256"`

	// Since version 2.
	ConsentGivenBy  string `json:"consent_given_by,omitempty"`
	ConsentCapacity string `json:"consent_capacity,omitempty"`
	CapturedWith    string `json:"captured_with,omitempty"`
}

// known reports whether b has the fields of its version, and no others.
func (b body) known() bool {
	switch b.V {
	case 1:
		return b.ConsentGivenBy == "" && b.ConsentCapacity == "" && b.CapturedWith == ""
	case 2:
		return media.ConsentGiver(b.ConsentGivenBy).Valid() && media.ConsentCapacity(b.ConsentCapacity).Valid() && media.CapturedWith(b.CapturedWith).Valid()
	}
	return false
}

type signed struct {
	Manifest  json.RawMessage `json:"manifest"`
	Key       string          `json:"key"`
	Signature string          `json:"signature"` // hexadecimal
}

// SignManifest gives the manifest as signed JSON, which VerifyManifest checks
// offline.
func (r *Ring) SignManifest(m Manifest) ([]byte, error) {
	k := r.keys.Load()
	if k.manifest == nil {
		return nil, fmt.Errorf("%w: no manifest key", ErrNotWhole)
	}
	said := body{
		2, string(m.Item), string(m.Patient), string(m.Team), string(m.Uploader), m.Format.String(), string(m.Consent),
		m.FiledAt.UTC().Format(time.RFC3339Nano), m.PlainBytes, m.ObjectBytes,
		hex.EncodeToString(m.PlainSHA256[:]), hex.EncodeToString(m.ObjectSHA256[:]), hex.EncodeToString(m.ReceiptSHA256[:]),
		string(m.ConsentGivenBy), string(m.ConsentCapacity), string(m.CapturedWith),
	}
	if !said.known() {
		return nil, errors.New("a manifest says who consented and how the picture was taken")
	}
	text, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	sig, err := k.manifest.Sign(nil, text, &ed25519.Options{Context: manifestContext})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return json.Marshal(signed{text, k.signer, hex.EncodeToString(sig)})
}

// VerifyManifest checks signed against the public half of the manifest key and
// gives what it says, or ErrManifest.
func VerifyManifest(public ed25519.PublicKey, text []byte) (Manifest, error) {
	var s signed
	if err := strict(text, &s); err != nil || len(public) != ed25519.PublicKeySize {
		return Manifest{}, ErrManifest
	}
	sig, err := hex.DecodeString(s.Signature)
	if err != nil || ed25519.VerifyWithOptions(public, s.Manifest, sig, &ed25519.Options{Context: manifestContext}) != nil {
		return Manifest{}, ErrManifest
	}
	var b body
	if err := strict(s.Manifest, &b); err != nil || !b.known() {
		return Manifest{}, ErrManifest
	}
	m := Manifest{
		Item: media.ItemID(b.Item), Patient: media.PatientID(b.Patient), Team: access.TeamID(b.Team), Uploader: access.PersonID(b.Uploader),
		Consent: media.Consent(b.Consent), ConsentGivenBy: media.ConsentGiver(b.ConsentGivenBy), ConsentCapacity: media.ConsentCapacity(b.ConsentCapacity),
		CapturedWith: media.CapturedWith(b.CapturedWith), PlainBytes: b.PlainBytes, ObjectBytes: b.ObjectBytes,
	}
	var ok bool
	if m.Format, ok = media.ParseFormat(b.Format); !ok {
		return Manifest{}, ErrManifest
	}
	if m.FiledAt, err = time.Parse(time.RFC3339Nano, b.FiledAt); err != nil {
		return Manifest{}, ErrManifest
	}
	for _, h := range []struct {
		text string
		into []byte
	}{{b.PlainSHA256, m.PlainSHA256[:]}, {b.ObjectSHA256, m.ObjectSHA256[:]}, {b.ReceiptSHA256, m.ReceiptSHA256[:]}} {
		raw, err := hex.DecodeString(h.text)
		if err != nil || len(raw) != len(h.into) {
			return Manifest{}, ErrManifest
		}
		copy(h.into, raw)
	}
	return m, nil
}

// VerifyReceipt checks a receipt (JSON, however it is spaced) against the
// signed manifest that vouches for it, and gives the manifest, or ErrManifest.
func VerifyReceipt(public ed25519.PublicKey, receipt, signed []byte) (Manifest, error) {
	m, err := VerifyManifest(public, signed)
	if err != nil {
		return Manifest{}, err
	}
	var compact bytes.Buffer
	if json.Compact(&compact, receipt) != nil || sha256.Sum256(compact.Bytes()) != m.ReceiptSHA256 {
		return Manifest{}, ErrManifest
	}
	return m, nil
}

func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

// OwnManifest opens a manifest that this deployment signed.
func (r *Ring) OwnManifest(signed []byte) (Manifest, error) {
	k := r.keys.Load()
	if k.manifest == nil {
		return Manifest{}, fmt.Errorf("%w: no manifest key", ErrNotWhole)
	}
	public, ok := k.manifest.Public().(ed25519.PublicKey)
	if !ok {
		return Manifest{}, ErrManifest
	}
	return VerifyManifest(public, signed)
}
