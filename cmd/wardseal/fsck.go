package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/fsck"
)

// The statuses of fsck, as of its namesakes: wrong, and could not be checked.
const (
	statusWrong     = statusError(1)
	statusUnchecked = statusError(2)
)

// fsckCmd checks everything that is kept.
type fsckCmd struct {
	config.Config `group:"Settings, as for serve"`

	Fast    bool   `help:"Compare rows and objects, and read no object: finds what is missing, left over or of the wrong length, not what was altered."`
	Repair  bool   `help:"Repair what is safe, and say so: leavings of crashes go, doubles of a version go, what was made from an original is made again. No original is ever touched."`
	JSON    bool   `name:"json" help:"Print JSON, a line for each finding and one for the outcome."`
	From    string `placeholder:"KEY" help:"Go on after this object, as an earlier run that was stopped printed it."`
	Workers int    `default:"4" help:"How many objects are read at once."`
}

// Run prints what was found. Its status is 0 when nothing is wrong (or all of
// it was repaired), 1 when something is, 2 when not all could be checked.
func (f *fsckCmd) Run(ctx context.Context, out io.Writer) error {
	parts, err := config.OpenParts(ctx, f.Config)
	if err != nil {
		return unchecked(err)
	}
	defer parts.Close()
	c := parts.Checker()
	c.Fast, c.Repair, c.Workers, c.By = f.Fast, f.Repair, f.Workers, "command-line"
	c.Found = func(found fsck.Finding) error {
		if f.JSON {
			return json.NewEncoder(out).Encode(found)
		}
		_, err := fmt.Fprintln(out, found)
		return err
	}
	if terminal(os.Stderr) {
		c.Progress = progress(os.Stderr)
	}
	sum, err := c.Run(ctx, f.From)
	if perr := f.print(out, sum); err == nil {
		err = perr
	}
	switch {
	case err != nil:
		if sum.Last != "" {
			fmt.Fprintf(os.Stderr, "wardseal: it stopped; go on with --from %s\n", sum.Last)
		}
		return unchecked(err)
	case sum.Wrong > 0:
		return statusWrong
	case sum.Unchecked > 0:
		return statusUnchecked
	}
	return nil
}

func (f *fsckCmd) print(out io.Writer, sum fsck.Summary) error {
	if f.JSON {
		return json.NewEncoder(out).Encode(sum)
	}
	did := "read"
	if f.Fast {
		did = "compared, and not read"
	}
	text := fmt.Sprintf("%d objects were %s (%s)", sum.Checked, did, size(sum.Bytes))
	if f.Fast {
		text = fmt.Sprintf("%d objects were %s", sum.Checked, did)
	}
	var kinds []string
	for k := range sum.Found {
		kinds = append(kinds, string(k))
	}
	sort.Strings(kinds)
	for _, k := range kinds {
		text += fmt.Sprintf("; %d %s", sum.Found[fsck.Kind(k)], k)
	}
	switch {
	case !sum.Whole:
		text += "; it did NOT come to the end"
	case sum.Wrong > 0:
		text += fmt.Sprintf("; %d things are WRONG", sum.Wrong)
	case sum.Unchecked > 0:
		text += "; NOT everything could be read"
	default:
		text += "; nothing is wrong"
	}
	if sum.Repaired > 0 {
		text += fmt.Sprintf("; %d were repaired", sum.Repaired)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// unchecked says why something could not be done, and ends with status 2.
func unchecked(err error) error {
	fmt.Fprintln(os.Stderr, "wardseal:", err)
	return statusUnchecked
}

// terminal reports whether somebody is looking.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// progress shows how far a run is, with its rate and what is left.
func progress(to io.Writer) func(fsck.Progress) {
	began, said := time.Now(), time.Time{}
	return func(p fsck.Progress) {
		now := time.Now()
		if now.Sub(said) < time.Second {
			return
		}
		said = now
		rate := float64(p.Checked) / now.Sub(began).Seconds()
		left := "?"
		if rate > 0 && p.Total > p.Checked {
			left = (time.Duration(float64(p.Total-p.Checked)/rate) * time.Second).String()
		}
		fmt.Fprintf(to, "\r\033[K%d of about %d objects, %.0f a second, %s left; %d wrong so far", p.Checked, p.Total, rate, left, p.Wrong)
	}
}

// size writes a number of bytes as people say it.
func size(n int64) string {
	switch {
	case n >= 1e12:
		return fmt.Sprintf("%.1f TB", float64(n)/1e12)
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}
