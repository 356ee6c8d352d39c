package transfer

import (
	"unicode/utf8"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
)

// capture is how a picture was taken and who consented to it.
type capture struct {
	with     media.CapturedWith
	givenBy  media.ConsentGiver
	capacity media.ConsentCapacity
	detail   string // who decided for the patient
}

// notStated is what a client says that knows of none of this.
var notStated = capture{media.CapturedUnknown, media.GivenByNotStated, media.CapacityNotStated, ""}

// parseCapture reads these fields. Each may be left out; what is said must be
// known and must fit together.
func parseCapture(f map[string]string) (capture, error) {
	c := capture{media.CapturedWith(f["captured_with"]), media.ConsentGiver(f["consent_given_by"]), media.ConsentCapacity(f["consent_capacity"]), f["consent_detail"]}
	bad := func(code, field string, msg words.Text) (capture, error) {
		return c, fault.New(fault.Invalid, code, msg).In(field)
	}
	if c.with == "" {
		c.with = media.CapturedUnknown
	}
	if c.givenBy == "" {
		c.givenBy = media.GivenByNotStated
	}
	if c.capacity == "" {
		c.capacity = c.givenBy.Implies()
	}
	switch {
	case !c.with.Valid():
		return bad("captured-with-unknown", "captured_with", "Say how the picture was taken: camera, native, frame, file or unknown.")
	case !c.givenBy.Valid():
		return bad("consent-given-by-unknown", "consent_given_by", "Say who gave consent: patient, parent, attorney, best-interests or not-stated.")
	case !c.capacity.Valid():
		return bad("consent-capacity-unknown", "consent_capacity", "Say whether the patient has the capacity to decide: has-capacity, lacks-capacity, child or not-stated.")
	case !c.givenBy.Allows(c.capacity):
		return bad("consent-contradiction", "consent_capacity", "Who gave consent and the patient's capacity do not fit together: a patient who lacks capacity cannot consent, and nobody decides for one who has it.")
	case c.givenBy.ForAnother() && c.detail == "":
		return bad("consent-detail-missing", "consent_detail", "Say who decided for the patient, for example: daughter, holds power of attorney.")
	case utf8.RuneCountInString(c.detail) > 200:
		return bad("consent-detail-long", "consent_detail", "Keep who decided to 200 characters; the note has room for more.")
	}
	return c, nil
}
