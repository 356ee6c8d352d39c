package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
)

// Form is an upload as it arrives: fields and one file, in any order. Next
// gives io.EOF after the last; the content is valid until the next call.
type Form interface {
	Next() (field string, content io.Reader, err error)
}

// Bounded gives the body of a form whose end is an error: the form is whole when
// its last boundary says so, and after that nothing is read. To mime/multipart
// one that breaks off where a part would begin has ended like any other.
func Bounded(body io.Reader) io.Reader {
	return io.MultiReader(body, strings.NewReader("\r\n"), cutOff{}) // the last line may have no end
}

type cutOff struct{}

// Read implements io.Reader.
func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// maxField bounds one text field, and maxFields how many a form may have.
const (
	maxField  = 8 << 10
	maxFields = 32
)

// details are the fields of an upload.
type details struct {
	patientKind, patientNumber, dateOfBirth, sex string
	team                                         access.TeamID
	caseID                                       media.CaseID
	consent                                      media.Consent
	capture                                      capture
	bodySite, note                               string
	capturedAt                                   time.Time
	idempotencyKey                               string
	allowRepeat                                  bool
	dropSound                                    bool
}

// receive reads the whole form. The file goes to the spool, where it is
// encrypted unless it is small enough to stay in memory; the caller closes it.
func (u *Uploads) receive(ctx context.Context, form Form) (d details, file *spool.File, err error) {
	defer func() {
		if err != nil && file != nil {
			_ = file.Close()
			file = nil
		}
	}()
	fields := map[string]string{}
	for n := 0; ; n++ {
		name, content, err := form.Next()
		if err == io.EOF { // and not one that wraps it: the form broke off
			break
		}
		if err != nil {
			return d, file, broken(err)
		}
		if !words.Legible(name) {
			return d, file, ErrIllegible
		}
		if n >= maxFields {
			return d, file, fault.New(fault.Invalid, "form-fields", "The form has too many fields.")
		}
		if name == "file" {
			if file != nil {
				return d, file, fault.New(fault.Invalid, "file-twice", "Send one photo or video at a time.").In("file")
			}
			if file, err = u.Spool.Fill(ctx, content, u.MaxBytes); err != nil {
				return d, nil, u.unspooled(err)
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(content, maxField+1))
		if err != nil {
			return d, file, broken(err)
		}
		if len(text) > maxField {
			return d, file, fault.New(fault.Invalid, "field-long", "This is longer than can be kept. Shorten it and send again.").In(name)
		}
		if _, twice := fields[name]; twice {
			return d, file, fault.New(fault.Invalid, "field-twice", "This was sent twice; send it once.").In(name)
		}
		if !words.Legible(string(text)) {
			return d, file, ErrIllegible.In(name)
		}
		fields[name] = strings.TrimSpace(string(text))
	}
	if file == nil {
		return d, nil, fault.New(fault.Invalid, "file-missing", "There is no file in this upload. Choose a photo or video and send again.").In("file")
	}
	d, err = parseDetails(fields)
	return d, file, err
}

// ErrIllegible refuses text that cannot be kept; see words.Legible.
var ErrIllegible = fault.New(fault.Invalid, "text-illegible", "This has characters that cannot be kept. Type it again, or send it as UTF-8.")

func broken(err error) error {
	if fe := (*fault.Error)(nil); errors.As(err, &fe) {
		return err
	}
	return fault.New(fault.Invalid, "upload-broken", "The upload broke off before its end, and nothing was filed. Send it again.").With(err)
}

func (u *Uploads) unspooled(err error) error {
	switch {
	case errors.Is(err, spool.ErrTooLarge):
		return u.TooLarge()
	case errors.Is(err, spool.ErrFull):
		return fault.New(fault.Full, "spool-full", "There is no space left to receive this. Nothing was filed; keep the picture and tell your administrator.").With(err)
	}
	if ours(err) {
		return errSpool.With(err)
	}
	return broken(err)
}

// ours tells a failure of the spool from one of what was sent.
func ours(err error) bool {
	var f *spool.Fault
	return errors.As(err, &f)
}

var errSpool = fault.New(fault.Unavailable, "storage-down", "This server cannot receive anything just now. Nothing was filed; keep the picture and try again in a moment.").After(10 * time.Second)

// TooLarge is the refusal of a file over MaxBytes; it names the limit.
func (u *Uploads) TooLarge() error {
	return fault.New(fault.TooLarge, "file-too-large",
		words.Say("This file is larger than the limit of {size}. Send a shorter video or a smaller picture.", sizeWords(u.MaxBytes))).In("file")
}

func sizeWords(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

func parseDetails(f map[string]string) (details, error) {
	d := details{
		patientKind: f["patient_number_kind"], patientNumber: f["patient_number"], dateOfBirth: f["date_of_birth"], sex: f["sex"],
		team: access.TeamID(f["team"]), caseID: media.CaseID(f["case"]), consent: media.Consent(f["consent"]),
		bodySite: words.Plain(f["body_site"]), note: f["note"], idempotencyKey: f["idempotency_key"], allowRepeat: f["allow_repeat"] == "true",
	}
	for name := range f {
		if !knownField[name] {
			return d, fault.New(fault.Invalid, "field-unknown", "The form has a field that is not known here; it may be misspelt, so nothing was filed.")
		}
	}
	switch {
	case !d.consent.Valid():
		return d, fault.New(fault.Invalid, "consent-missing", "Record the consent: A for the record, B for teaching too, C for publication too. Without consent nothing is filed.").In("consent")
	case !media.ValidID(string(d.team)):
		return d, fault.New(fault.Invalid, "team-missing", "Choose the team that this picture belongs to.").In("team")
	case d.caseID != "" && !media.ValidID(string(d.caseID)):
		return d, fault.New(fault.Invalid, "case-unknown", "There is no such case. Choose one from the list or leave it out.").In("case")
	case d.bodySite == "":
		return d, fault.New(fault.Invalid, "body-site-missing", "Say which part of the body this shows, for example: left forearm.").In("body_site")
	case utf8.RuneCountInString(d.bodySite) > 200:
		return d, fault.New(fault.Invalid, "body-site-long", "Keep the body site to 200 characters; the note has room for more.").In("body_site")
	case utf8.RuneCountInString(d.idempotencyKey) > 200:
		return d, fault.New(fault.Invalid, "idempotency-key-long", "An idempotency key has at most 200 characters.").In("idempotency_key")
	}
	var err error
	if d.capture, err = parseCapture(f); err != nil {
		return d, err
	}
	switch f["sound"] {
	case "", "keep":
	case "remove":
		d.dropSound = true
	default:
		return d, fault.New(fault.Invalid, "sound-form", "Say keep or remove for the sound of a video, or leave it out.").In("sound")
	}
	if at := f["captured_at"]; at != "" {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil || t.UTC().Year() < 1800 { // nothing was photographed then
			return d, fault.New(fault.Invalid, "captured-at-form", "Give the time of the picture as in 2026-03-01T14:30:00Z (RFC 3339), or leave it out.").In("captured_at")
		}
		d.capturedAt = t.UTC()
	}
	return d, nil
}

var knownField = map[string]bool{
	"patient_number_kind": true, "patient_number": true, "date_of_birth": true, "sex": true, "team": true, "case": true,
	"consent": true, "body_site": true, "note": true, "captured_at": true, "idempotency_key": true, "allow_repeat": true, "sound": true,
	"captured_with": true, "consent_given_by": true, "consent_capacity": true, "consent_detail": true,
}
