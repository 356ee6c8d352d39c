package media

// Quality is what was measured of a picture's pixels. It never decides
// whether a picture is accepted: a blurred picture may be the only one.
type Quality struct {
	Width      int     `json:"width"` // of the original when upright
	Height     int     `json:"height"`
	Sharpness  float64 `json:"sharpness"`          // of the sharpest parts; see docs/decisions
	Shadows    float64 `json:"shadows_clipped"`    // share of pixels that are black
	Highlights float64 `json:"highlights_clipped"` // share of pixels that are white
	Flags      []Flag  `json:"flags"`
}

// Flag is something about a picture that its maker may want to put right.
type Flag string

const (
	Blurred     Flag = "blurred"     // nothing in it is sharp
	Dark        Flag = "dark"        // hardly anything is to be seen
	Overexposed Flag = "overexposed" // much of it is plain white
)

// Valid reports whether f is a known flag.
func (f Flag) Valid() bool { return f == Blurred || f == Dark || f == Overexposed }
