package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
)

// stripCmd does offline what an upload does first.
type stripCmd struct {
	Out     string   `short:"o" required:"" type:"path" placeholder:"DIR" help:"Folder for the cleaned files, under their own names. An existing file is not overwritten."`
	Receipt bool     `help:"Also write what was removed and kept, as JSON, to receipts.json in the folder."`
	Pixels  int64    `name:"max-pixels" default:"50000000" help:"Refuse larger pictures."`
	NoSound bool     `help:"Leave out the sound of videos."`
	Files   []string `arg:"" type:"path" help:"Files to clean."`
}

// exitRefused is the status when some files were refused.
const exitRefused = statusError(3)

// stripped is one file's line in the receipts.
type stripped struct {
	File    string         `json:"file"`
	Clean   bool           `json:"clean"`
	Code    string         `json:"code,omitempty"`   // why it was refused
	Reason  string         `json:"reason,omitempty"` // the same in words
	Receipt *media.Receipt `json:"receipt,omitempty"`
}

func (s *stripCmd) Run(ctx context.Context, out io.Writer) error {
	if err := os.MkdirAll(s.Out, 0o700); err != nil {
		return err
	}
	refused := 0
	all := []stripped{}
	for _, name := range s.Files {
		receipt, err := s.file(ctx, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		line := stripped{File: filepath.Base(name), Clean: err == nil}
		if err != nil {
			refused++
			line.Code, line.Reason = explain(err)
			fmt.Fprintf(out, "refused %s: %s\n", oneLine(name), line.Reason)
		} else {
			line.Receipt = &receipt
			fmt.Fprintf(out, "clean   %s: %s\n", oneLine(name), removed(receipt))
		}
		all = append(all, line)
	}
	if err := s.receipts(all); err != nil {
		return err
	}
	if refused > 0 {
		return exitRefused
	}
	return nil
}

// oneLine is a name on a line of its own: one with a line break in it must not
// pass for two.
func oneLine(name string) string {
	if strings.ContainsFunc(name, unicode.IsControl) {
		return strconv.Quote(name)
	}
	return name
}

// explain gives the code and words of a refusal. Here the person who asks owns
// the file system, so its errors may be told.
func explain(err error) (code, words string) {
	if fe := (*fault.Error)(nil); errors.As(err, &fe) {
		return fe.Code, fe.Message.String()
	}
	return "not-read", err.Error()
}

func removed(r media.Receipt) string {
	if len(r.Removed) == 0 {
		return "nothing to remove"
	}
	kinds := make([]string, 0, len(r.Removed))
	for _, t := range r.Removed {
		k := t.Kind.String()
		if t.Count > 1 {
			k = fmt.Sprintf("%s (%d)", k, t.Count)
		}
		kinds = append(kinds, k)
	}
	return "removed " + strings.Join(kinds, ", ")
}

// file cleans one file into the folder, all or nothing.
func (s *stripCmd) file(ctx context.Context, name string) (media.Receipt, error) {
	info, err := os.Stat(name) // before it is opened: to open a pipe would wait for whoever fills it
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("this is not a regular file")
	}
	if err != nil {
		return media.Receipt{}, err
	}
	in, err := os.Open(name)
	if err != nil {
		return media.Receipt{}, err
	}
	defer in.Close()
	if info, err = in.Stat(); err != nil {
		return media.Receipt{}, err
	}
	head := make([]byte, min(4096, info.Size()))
	if _, err := io.ReadFull(in, head); err != nil {
		return media.Receipt{}, err
	}
	format, err := sniff.Format(head)
	if err != nil {
		return media.Receipt{}, err
	}
	result, err := sanitise.File(ctx, in, info.Size(), format, sanitise.Options{MaxPixels: s.Pixels, DropSound: s.NoSound})
	if err != nil {
		return media.Receipt{}, err
	}
	after, err := s.write(filepath.Join(s.Out, filepath.Base(name)), result.Clean.Reader())
	if err != nil {
		return media.Receipt{}, err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return media.Receipt{}, err
	}
	before := sha256.New()
	if _, err := io.Copy(before, in); err != nil {
		return media.Receipt{}, err
	}
	r := result.Receipt
	r.SHA256Before, r.SHA256After = hex.EncodeToString(before.Sum(nil)), after
	return r, nil
}

// write makes a new file, whole or not at all, and returns its SHA-256.
func (s *stripCmd) write(name string, r io.Reader) (string, error) {
	tmp, err := os.CreateTemp(s.Out, ".wardseal-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(tmp, sum), r); err != nil {
		return "", err
	}
	if err := tmp.Close(); err != nil {
		return "", err
	}
	if err := os.Link(tmp.Name(), name); err != nil { // a link never overwrites
		if errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("%s exists already in the output folder and was left alone", filepath.Base(name))
		}
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// receipts writes the account of all files beside them.
func (s *stripCmd) receipts(all []stripped) error {
	if !s.Receipt {
		return nil
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Out, "receipts.json"), append(b, '\n'), 0o600)
}
