package sanitise_test

import (
	"testing"
	"time"
)

// A phone that makes a film smaller to send it writes the time of that into the
// headers: when the film was taken stands beside them.
func TestFilmWasTaken(t *testing.T) {
	made, taken := "creation_time=2023-05-09T11:48:30Z", time.Date(2023, 5, 9, 11, 41, 46, 0, time.UTC)
	for name, c := range map[string]struct {
		ext  string
		args []string
		want time.Time
	}{
		"headers alone":    {".mov", nil, time.Date(2023, 5, 9, 11, 48, 30, 0, time.UTC)},
		"keys":             {".mov", []string{"-metadata", "com.apple.quicktime.creationdate=2023-05-09T12:41:46+0100", "-movflags", "use_metadata_tags"}, taken},
		"keys in an MP4":   {".mp4", []string{"-metadata", "com.apple.quicktime.creationdate=2023-05-09T12:41:46+0100", "-movflags", "use_metadata_tags"}, taken},
		"user data":        {".mov", []string{"-metadata", "date=2023-05-09T13:41:46+0200"}, taken},
		"iTunes' list":     {".mp4", []string{"-metadata", "date=2023-05-09T11:41:46Z"}, taken},
		"a year is no day": {".mp4", []string{"-metadata", "date=2019"}, time.Date(2023, 5, 9, 11, 48, 30, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := must(t, recorded(t, c.ext, append([]string{"-c:v", "mpeg4", "-metadata", made}, c.args...)...))
			if at := r.Receipt.CapturedAt; at == nil || !at.Equal(c.want) || r.Receipt.CapturedZone != "" {
				t.Errorf("%v %q, not %v", at, r.Receipt.CapturedZone, c.want)
			}
		})
	}
}
