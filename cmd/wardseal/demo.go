package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/config"
)

// phoneJPEG is a picture as a phone makes it: with position, serial number and
// maker notes. See testdata/ATTRIBUTION.md.
//
//go:embed testdata/phone.jpg
var phoneJPEG []byte

// demoCmd does the main job once, visibly, and then keeps serving.
type demoCmd struct {
	Data       string        `placeholder:"DIR" type:"path" env:"WARDSEAL_DATA" help:"Folder to keep things in (default: a temporary one, removed at the end)."`
	Listen     string        `default:"127.0.0.1:8080" env:"WARDSEAL_LISTEN" help:"Address to serve on."`
	CoolingOff time.Duration `default:"2m" help:"Time in which an approved destruction can be undone: minutes and not days, so that it can be watched."`
	Mail       config.Mail   `embed:"" prefix:"mail-" group:"Mail"`
	Once       bool          `help:"Stop after doing the job once. The exit status is 0 only if every step did what it should."`
}

func (d *demoCmd) Run(ctx context.Context, out io.Writer) (err error) {
	data := d.Data
	if data == "" {
		if data, err = os.MkdirTemp("", "wardseal-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	}
	cfg := config.Default(data)
	cfg.Listen, cfg.Operations, cfg.Mail = d.Listen, "127.0.0.1:0", d.Mail
	cfg.Records = config.Records{Jurisdiction: "scotland", Organisation: "Example Health Board (demonstration)", Backups: 35 * 24 * time.Hour, CoolingOff: d.CoolingOff}
	if d.Once {
		cfg.Listen = "127.0.0.1:0"
	} else if _, port, err := net.SplitHostPort(d.Listen); err == nil {
		cfg.PublicURL = "http://localhost:" + port
	}
	if _, err := os.Stat(cfg.RootFile()); errors.Is(err, fs.ErrNotExist) {
		if err := config.InitKeys(cfg, filepath.Join(data, "keys", "escrow-identity.txt"), ""); err != nil {
			return err
		}
	}
	srv, err := startServer(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	s := &show{out: out, data: data, srv: srv}
	if err := s.job(ctx); err != nil {
		fmt.Fprintf(out, "\ndemo: FAILED after %d steps: %v\n", s.steps, err)
		return errQuiet
	}
	if d.Once {
		fmt.Fprintf(out, "\ndemo: all %d steps did what they should\n", s.steps)
		return nil
	}
	s.signIns(cfg)
	fmt.Fprintf(out, "\ndemo: all %d steps did what they should; serving until interrupted\n", s.steps)
	<-ctx.Done()
	return nil
}

// show does the job through the public API and says what happens.
type show struct {
	out                         io.Writer
	data                        string
	srv                         *server
	steps                       int
	nurse, consultant, outsider *client
	auditor                     *client
	ids                         map[string]access.PersonID
	team                        access.TeamID
	item                        string
}

func (s *show) say(format string, a ...any) {
	s.steps++
	fmt.Fprintf(s.out, "%2d. %s\n", s.steps, fmt.Sprintf(format, a...))
}

func (s *show) job(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.people, s.uploadOnce, s.ciphertext, s.share, s.refusals, s.account} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) uploadOnce(ctx context.Context) error {
	patient := map[string]string{"patient_number_kind": "nhs", "patient_number": "999 000 0018", "name": "Test Patient", "date_of_birth": "1950-01-31"}
	err := s.nurse.json(ctx, http.MethodPost, "/api/v1/patients", patient, nil, http.StatusCreated)
	if err != nil && !strings.Contains(err.Error(), "patient-known") {
		return err
	}
	a, err := s.nurse.upload(ctx, map[string]string{
		"patient_number_kind": "nhs", "patient_number": "999 000 0018", "date_of_birth": "1950-01-31", "team": string(s.team),
		"consent": "A", "body_site": "left heel", "note": "Grade 2, day 3. Advice on dressing?", "allow_repeat": "true",
	}, "IMG_0001.JPG", phoneJPEG)
	if err != nil {
		return err
	}
	if a.Status != http.StatusCreated {
		code, detail := a.problem()
		return fmt.Errorf("the upload answered %d (%s: %s)", a.Status, code, detail)
	}
	var filed struct {
		Item    struct{ ID string }
		Receipt struct {
			Removed     []struct{ Kind string }
			BytesBefore int64 `json:"bytes_before"`
			BytesAfter  int64 `json:"bytes_after"`
		}
	}
	if err := json.Unmarshal(a.Body, &filed); err != nil {
		return err
	}
	s.item = filed.Item.ID
	var kinds []string
	for _, r := range filed.Receipt.Removed {
		kinds = append(kinds, r.Kind)
	}
	if all := strings.ToLower(strings.Join(kinds, ",")); !strings.Contains(all, "gps") || !strings.Contains(all, "serial") || !strings.Contains(all, "maker") {
		return fmt.Errorf("the receipt does not list position, serial number and maker notes: %s", all)
	}
	s.say("The nurse sent a phone picture of %d bytes; %d remain. Removed:\n      %s", filed.Receipt.BytesBefore, filed.Receipt.BytesAfter, strings.Join(kinds, "\n      "))
	return nil
}

// ciphertext looks at the files of the store, as a thief of the disk would.
func (s *show) ciphertext(context.Context) error {
	files, size := 0, 0
	err := filepath.WalkDir(filepath.Join(s.data, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !strings.Contains(path, s.item) {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(b, []byte("age-encryption.org/v1\n")) {
			return fmt.Errorf("%s is not an age file", filepath.Base(path))
		}
		for i := 0; i+24 <= len(phoneJPEG); i += 4096 {
			if bytes.Contains(b, phoneJPEG[i:i+24]) {
				return fmt.Errorf("%s holds plaintext", filepath.Base(path))
			}
		}
		files, size = files+1, size+len(b)
		return nil
	})
	if err != nil {
		return err
	}
	if files == 0 {
		return errors.New("there is no stored file of the item")
	}
	s.say("On disk: %d age files, %d bytes, no 24 bytes of the picture in any of them.", files, size)
	return nil
}

// link makes a link to the item for a person and returns its secret and id.
func (s *show) link(ctx context.Context, to string, seconds, uses int) (secret, id string, err error) {
	var made struct{ ID, URL string }
	err = s.nurse.json(ctx, http.MethodPost, "/api/v1/items/"+s.item+"/links", map[string]any{
		"audience": map[string]string{"kind": "person", "id": string(s.ids[to])}, "purpose": "advice on dressing", "ttl_seconds": seconds, "uses": uses,
	}, &made, http.StatusCreated)
	return secretOf(made.URL), made.ID, err
}

func (s *show) open(ctx context.Context, c *client, secret string) (answer, error) {
	b, err := json.Marshal(map[string]string{"secret": secret})
	if err != nil {
		return answer{}, err
	}
	return c.do(ctx, http.MethodPost, "/api/v1/links/open", "application/json", bytes.NewReader(b))
}

func (s *show) share(ctx context.Context) error {
	secret, _, err := s.link(ctx, "consultant", 300, 1)
	if err != nil {
		return err
	}
	a, err := s.open(ctx, s.consultant, secret)
	if err != nil {
		return err
	}
	var grant struct{ URL string }
	if err := json.Unmarshal(a.Body, &grant); err != nil || a.Status != http.StatusOK {
		return fmt.Errorf("opening the link answered %d: %w", a.Status, err)
	}
	a, err = s.consultant.do(ctx, http.MethodGet, grant.URL+"original-clean", "", nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("the picture answered %d", a.Status)
	}
	if err := samePixels(phoneJPEG, a.Body); err != nil {
		return err
	}
	s.say("The consultant opened the nurse's link: %s, %d bytes, every pixel as it was taken.", a.Header.Get("Content-Type"), len(a.Body))
	return s.refused(ctx, s.consultant, secret, http.StatusGone, "link-used", "The same link, opened once more")
}

func samePixels(a, b []byte) error {
	x, err := jpeg.Decode(bytes.NewReader(a))
	if err != nil {
		return err
	}
	y, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if x.Bounds() != y.Bounds() {
		return errors.New("the picture has another size")
	}
	for j := x.Bounds().Min.Y; j < x.Bounds().Max.Y; j++ {
		for i := x.Bounds().Min.X; i < x.Bounds().Max.X; i++ {
			if x.At(i, j) != y.At(i, j) {
				return fmt.Errorf("pixel %d,%d differs", i, j)
			}
		}
	}
	return nil
}

func (s *show) refused(ctx context.Context, c *client, secret string, status int, code, what string) error {
	a, err := s.open(ctx, c, secret)
	if err != nil {
		return err
	}
	got, detail := a.problem()
	if a.Status != status || got != code {
		return fmt.Errorf("%s answered %d (%s), not %d (%s)", what, a.Status, got, status, code)
	}
	s.say("%s: refused. “%s”", what, detail)
	return nil
}

func (s *show) refusals(ctx context.Context) error {
	secret, id, err := s.link(ctx, "consultant", 300, 5)
	if err != nil {
		return err
	}
	if err := s.refused(ctx, &client{base: s.srv.url}, secret, http.StatusUnauthorized, "not-signed-in", "Somebody who found the link and is not signed in"); err != nil {
		return err
	}
	if err := s.refused(ctx, s.outsider, secret, http.StatusForbidden, "link-not-for-you", "A nurse of another team, to whom the link was forwarded"); err != nil {
		return err
	}
	if err := s.refused(ctx, s.auditor, secret, http.StatusForbidden, "not-allowed", "The auditor, whose role sees no pictures"); err != nil {
		return err
	}
	brief, _, err := s.link(ctx, "consultant", 1, 5)
	if err != nil {
		return err
	}
	time.Sleep(1500 * time.Millisecond)
	if err := s.refused(ctx, s.consultant, brief, http.StatusGone, "link-expired", "The consultant, after a link of one second expired"); err != nil {
		return err
	}
	return s.revocation(ctx, secret, id)
}

// revocation shows that revoking a link ends an open view as well.
func (s *show) revocation(ctx context.Context, secret, id string) error {
	a, err := s.open(ctx, s.consultant, secret)
	if err != nil {
		return err
	}
	var grant struct{ URL string }
	if err := json.Unmarshal(a.Body, &grant); err != nil {
		return err
	}
	if err := s.nurse.json(ctx, http.MethodDelete, "/api/v1/links/"+id, nil, nil, http.StatusNoContent); err != nil {
		return err
	}
	if err := s.refused(ctx, s.consultant, secret, http.StatusGone, "link-revoked", "The consultant, after the nurse revoked the link"); err != nil {
		return err
	}
	if a, err = s.consultant.do(ctx, http.MethodGet, grant.URL+"original-clean", "", nil); err != nil {
		return err
	}
	if code, _ := a.problem(); a.Status != http.StatusGone || code != "link-revoked" {
		return fmt.Errorf("a view opened before the revocation answered %d (%s)", a.Status, code)
	}
	s.say("The view that was open when the link was revoked: cut off too.")
	return nil
}

func (s *show) account(ctx context.Context) error {
	var page struct{ Events []struct{ Type string } }
	if err := s.auditor.json(ctx, http.MethodGet, "/api/v1/audit?limit=500&item="+s.item, nil, &page, http.StatusOK); err != nil {
		return err
	}
	count := map[string]int{}
	for _, e := range page.Events {
		count[e.Type]++
	}
	for _, want := range []string{"item.filed", "link.made", "link.opened", "item.shown", "link.refused", "link.revoked"} {
		if count[want] == 0 {
			return fmt.Errorf("the audit has no %s", want)
		}
	}
	s.say("The auditor sees %d events about this item: filed %d, links made %d, opened %d, refused %d, revoked %d, picture shown %d.", len(page.Events),
		count["item.filed"], count["link.made"], count["link.opened"], count["link.refused"], count["link.revoked"], count["item.shown"])
	return nil
}
