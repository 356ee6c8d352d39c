package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what is signed: that the first Size events of a log have a
// root. Two checkpoints of one log of which neither goes on from the other are
// proof that somebody rewrote it.
type Checkpoint struct {
	Origin string // names the log; the name of the key too
	Size   int64
	Root   Hash
}

// Text is the text to sign: three lines, as C2SP's tlog-checkpoint has them.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// ErrCheckpoint means that something is not a checkpoint, or not one that the
// key given has signed.
var ErrCheckpoint = errors.New("this is not a checkpoint that this key has signed")

// ErrNotNote means that something is not a note at all: cut off, or noise.
var ErrNotNote = errors.New("this is not a signed note")

// MaxCheckpoint is more bytes than any signed checkpoint has.
const MaxCheckpoint = 4 << 10

// OpenCheckpoint checks a signed checkpoint (a note) and gives what it says,
// or ErrCheckpoint or ErrNotNote. The log must be named as the key is.
func OpenCheckpoint(signed []byte, key note.Verifier) (Checkpoint, error) {
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, ErrNotNote
	}
	n, err := note.Open(signed, note.VerifierList(key))
	var unknown *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unknown), errors.As(err, &invalid):
		return Checkpoint{}, ErrCheckpoint
	case err != nil:
		return Checkpoint{}, ErrNotNote
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() {
		return Checkpoint{}, ErrCheckpoint
	}
	c := Checkpoint{Origin: lines[0]}
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 1 {
		return Checkpoint{}, ErrCheckpoint
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil || c.Text() != n.Text {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// noteLine starts what stands for a whole note in a line of syslog.
const noteLine = "note="

// Line writes a signed checkpoint as one line, for places that keep lines.
func Line(c Checkpoint, signed []byte) string {
	return fmt.Sprintf("wardseal checkpoint origin=%s size=%d root=%s %s%s", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]),
		noteLine, base64.StdEncoding.EncodeToString(signed))
}

// Notes takes signed checkpoints apart that stand one after another in a file,
// or in lines as Line writes them. What is neither, such as a line that a crash
// cut off, is passed over: whether all are there that should be is for the
// caller to know.
func Notes(text []byte) [][]byte {
	var out [][]byte
	var part strings.Builder // the note being read
	signed := false          // its signatures have begun
	end := func() {
		if signed {
			out = append(out, []byte(part.String()))
		}
		part.Reset()
		signed = false
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if _, coded, ok := strings.Cut(line, noteLine); ok {
			coded, _, _ = strings.Cut(coded, " ")
			if whole, err := base64.StdEncoding.DecodeString(coded); err == nil {
				out = append(out, whole)
			}
			continue
		}
		signature := strings.HasPrefix(line, "— ")
		if signed && !signature {
			end()
		}
		if line == "" && part.Len() == 0 {
			continue
		}
		signed = signed || signature
		part.WriteString(line + "\n")
	}
	end()
	return out
}
