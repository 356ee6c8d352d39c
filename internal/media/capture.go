package media

// CapturedWith is the way in which a picture was taken. The zero CapturedWith
// is none; an item of which nobody said has CapturedUnknown.
type CapturedWith string

const (
	CapturedCamera  CapturedWith = "camera"  // by the page, at the sensor's full resolution
	CapturedNative  CapturedWith = "native"  // by the phone's own camera, opened from the page
	CapturedFrame   CapturedWith = "frame"   // one frame of the page's moving picture: fewer pixels
	CapturedFile    CapturedWith = "file"    // chosen from what was on the device, where a copy may remain
	CapturedUnknown CapturedWith = "unknown" // not said
)

// Valid reports whether c is a known way.
func (c CapturedWith) Valid() bool {
	switch c {
	case CapturedCamera, CapturedNative, CapturedFrame, CapturedFile, CapturedUnknown:
		return true
	}
	return false
}

// ConsentGiver is who agreed to the use of a picture.
type ConsentGiver string

const (
	GivenByPatient       ConsentGiver = "patient"
	GivenByParent        ConsentGiver = "parent"         // a parent or guardian, for a child
	GivenByAttorney      ConsentGiver = "attorney"       // an attorney, deputy or welfare guardian with power to
	GivenByBestInterests ConsentGiver = "best-interests" // decided by staff in the patient's best interests
	GivenByNotStated     ConsentGiver = "not-stated"
)

// Valid reports whether g is known.
func (g ConsentGiver) Valid() bool {
	switch g {
	case GivenByPatient, GivenByParent, GivenByAttorney, GivenByBestInterests, GivenByNotStated:
		return true
	}
	return false
}

// ForAnother reports whether g decides for an adult who cannot: then the
// record says who decided and why.
func (g ConsentGiver) ForAnother() bool { return g == GivenByAttorney || g == GivenByBestInterests }

// ConsentCapacity is whether the patient could decide this for themselves.
type ConsentCapacity string

const (
	HasCapacity       ConsentCapacity = "has-capacity"
	LacksCapacity     ConsentCapacity = "lacks-capacity"
	ChildCapacity     ConsentCapacity = "child" // too young to decide alone
	CapacityNotStated ConsentCapacity = "not-stated"
)

// Valid reports whether c is known.
func (c ConsentCapacity) Valid() bool {
	switch c {
	case HasCapacity, LacksCapacity, ChildCapacity, CapacityNotStated:
		return true
	}
	return false
}

// Implies is the capacity that goes with who gave consent, when nobody says
// more.
func (g ConsentGiver) Implies() ConsentCapacity {
	switch g {
	case GivenByPatient:
		return HasCapacity
	case GivenByParent:
		return ChildCapacity
	case GivenByAttorney, GivenByBestInterests:
		return LacksCapacity
	}
	return CapacityNotStated
}

// Allows reports whether g may give consent for a patient of capacity c: a
// patient who cannot decide did not, and nobody decides for one who can. A
// parent may for a child of any understanding.
func (g ConsentGiver) Allows(c ConsentCapacity) bool {
	switch g {
	case GivenByPatient:
		return c == HasCapacity
	case GivenByParent:
		return c == ChildCapacity || c == HasCapacity
	case GivenByAttorney, GivenByBestInterests:
		return c == LacksCapacity
	}
	return c.Valid()
}
