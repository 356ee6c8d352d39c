package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/handover"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

// receiver is another organisation's key: its recipient, and a file with its
// identity.
func receiver(t *testing.T, hybrid bool) (recipient, identity string) {
	t.Helper()
	identity = filepath.Join(t.TempDir(), "identity.txt")
	var secret string
	if hybrid {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			t.Fatal(err)
		}
		recipient, secret = id.Recipient().String(), id.String()
	} else {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		recipient, secret = id.Recipient().String(), id.String()
	}
	if err := os.WriteFile(identity, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return recipient, identity
}

// recorded gives the events of a type, newest first.
func (h *house) recorded(kind audit.Type) []audit.Event {
	h.t.Helper()
	out, err := h.sys.Store.Events(h.t.Context(), meta.EventFilter{Types: []audit.Type{kind}, Limit: 50})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// The whole way to another organisation: two people, proof, one package that
// the stock age and tar commands open, an account of every item, its
// confirmation, and then the same end as anything else, with a certificate that
// says where the items are.
func TestHandover(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.Scotland, 0, func(t *testing.T, h *house) {
		one, two, nurse := h.as("records"), h.as("records2"), h.as("nurse")
		picture, film := h.file(nurse, "note", "smells"), api.Item{}
		nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": secondNumber, "name": "Other Patient", "date_of_birth": "1950-01-31"})
		d := h.details()
		d["body_site"], d["patient_number"] = "sacrum", secondNumber
		var f api.Filing
		nurse.upload(shot(t, ".mp4", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=5:duration=1", "-c:v", "mpeg4"), d).into(t, &f)
		film = f.Item
		nurse.annotated(string(picture.ID), "an arrow")
		h.question(string(film.ID), "consultant", "Of whom is this?") // while it is filed under another patient
		one.must("POST", "/items/"+string(film.ID)+"/move", http.StatusNoContent, numbered(firstNumber, "filed in error"))
		q := h.question(string(picture.ID), "consultant", "Is this infected?")
		for _, m := range []struct {
			by   *person
			says body
		}{
			{h.as("consultant"), body{"kind": "answer", "text": "It is clean."}}, {nurse, body{"kind": "items", "items": []media.ItemID{film.ID}}},
			{nurse, body{"kind": "close", "text": "Thank you."}},
		} {
			m.by.must("POST", "/referrals/"+string(q.ID)+"/messages", http.StatusNoContent, m.says)
		}
		nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []media.ItemID{picture.ID}, "audience": body{"kind": "team", "id": h.team}, "question": "Since when?"})
		recipient, identity := receiver(t, strings.Contains(t.Name(), "postgres"))
		items := []media.ItemID{picture.ID, film.ID}
		propose := body{"items": items, "receiver": "Example Archive", "recipient": recipient, "reason": "the collection moves there"}
		if a := one.ask("POST", "/handovers", propose); a.code() != "not-eligible" {
			t.Fatalf("before their time: %d %s", a.status, a.code())
		}
		h.dead(picture.Patient)
		var hold struct{ ID string }
		one.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "patients": []media.PatientID{picture.Patient}}).into(t, &hold)
		if a := one.ask("POST", "/handovers", propose); a.code() != "not-eligible" {
			t.Errorf("under a hold: %d %s", a.status, a.code())
		}
		one.must("POST", "/holds/"+hold.ID+"/release", http.StatusNoContent, body{"reason": "over"})
		for field, bad := range map[string]string{"receiver": " ", "recipient": "age1notone", "reason": ""} {
			wrong := body{"items": items, "receiver": "Example Archive", "recipient": recipient, "reason": "x"}
			wrong[field] = bad
			if a := one.ask("POST", "/handovers", wrong); a.status != http.StatusUnprocessableEntity {
				t.Errorf("%s %q: %d %s", field, bad, a.status, a.code())
			}
		}
		var made struct{ ID string }
		one.must("POST", "/handovers", http.StatusCreated, propose).into(t, &made)
		at := "/handovers/" + made.ID
		if due := one.due(); len(due) != 0 {
			t.Errorf("still due: %+v", due)
		}
		if a := one.ask("POST", "/disposals", body{"ground": "erasure", "items": items[:1], "reason": "x"}); a.code() != "not-eligible" {
			t.Errorf("destroyed meanwhile: %d %s", a.status, a.code())
		}
		if a := one.ask("GET", at+"/package", nil); a.code() != "handover-not-approved" {
			t.Errorf("fetched before it is approved: %d %s", a.status, a.code())
		}
		one.stepUp()
		if a := one.ask("POST", at+"/approve", body{}); a.code() != "second-person" {
			t.Errorf("approved by oneself: %d %s", a.status, a.code())
		}
		if a := two.ask("POST", at+"/approve", body{}); a.code() != "step-up-needed" {
			t.Errorf("approved without proof: %d %s", a.status, a.code())
		}
		two.proves().must("POST", at+"/approve", http.StatusNoContent, body{"reason": "the key was read over the telephone"})
		confirmed := body{"by": "Example Archivist", "on": time.Now().UTC().Format(time.DateOnly), "reference": "EA 7/26"}
		if a := one.ask("POST", at+"/confirm", confirmed); a.code() != "not-sent" {
			t.Errorf("confirmed before it was fetched: %d %s", a.status, a.code())
		}
		if a := h.as("records").ask("GET", at+"/package", nil); a.code() != "step-up-needed" || len(h.recorded(audit.ItemHandedOver)) != 0 {
			t.Errorf("fetched without proof: %d %s", a.status, a.code())
		}
		packed := one.must("GET", at+"/package", http.StatusOK, nil)
		if got := h.recorded(audit.ItemHandedOver); len(got) != 2 || got[0].Subject.Handover != made.ID || got[0].Actor != h.ids["records"] || got[0].Subject.Patient != string(picture.Patient) {
			t.Errorf("the account of it: %+v", got)
		}
		var looked struct{ Looks []api.Look }
		one.must("GET", "/audit/patients/"+string(picture.Patient)+"/looks", http.StatusOK, nil).into(t, &looked)
		if len(looked.Looks) < 2 || !strings.Contains(looked.Looks[0].What.String(), "another organisation") {
			t.Errorf("the patient is not told: %+v", looked.Looks)
		}
		if strings.Contains(packed.header.Get("Content-Disposition"), "9990000018") || bytes.Contains(packed.body, []byte("sacrum")) || bytes.Contains(packed.body, []byte("infected")) || bytes.Contains(packed.body, []byte("items/")) {
			t.Error("the package is not sealed")
		}
		h.opensWithStock(packed.body, identity, picture, film)
		h.unpacks(packed.body, identity, items, nurse)

		one.must("POST", at+"/confirm", http.StatusNoContent, confirmed)
		if a := one.ask("POST", at+"/end", body{"reason": "x"}); a.code() != "handover-decided" {
			t.Errorf("ended afterwards: %d %s", a.status, a.code())
		}
		due := one.due()
		if len(due) != 2 || due[0].HandedOver == nil || due[0].HandedOver.To != "Example Archive" || due[0].HandedOver.Reference != "EA 7/26" {
			t.Fatalf("due then: %+v", due)
		}
		batch := h.proposed(one, body{"ground": "retention", "items": items, "reason": "they have it"})
		two.must("POST", "/disposals/"+batch+"/approve", http.StatusNoContent, body{})
		h.keep()
		for _, l := range h.certified(one, batch, 2).Destroyed {
			if o := l.HandedOver; o == nil || string(o.Handover) != made.ID || o.To != "Example Archive" || o.ConfirmedBy != "Example Archivist" || o.Reference != "EA 7/26" {
				t.Errorf("the certificate does not say where it is: %+v", l)
			}
		}
		var shown api.Handover
		h.as("auditor").must("GET", at, http.StatusOK, nil).into(t, &shown)
		if shown.State != retention.HandoverConfirmed || shown.Confirmation == nil || len(shown.Lines) != 2 || !shown.Lines[0].Destroyed || shown.Lines[0].BodySite != "" {
			t.Errorf("afterwards: %+v", shown)
		}
	})
}

// opensWithStock opens a package without this program.
func (h *house) opensWithStock(packed []byte, identity string, picture, film api.Item) {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "package.tar.age")
	if err := os.WriteFile(file, packed, 0o600); err != nil {
		h.t.Fatal(err)
	}
	listed, err := exec.Command("bash", "-o", "pipefail", "-c", `"$0" -d -i "$1" "$2" | tar t`, servers.Binary(h.t, "age"), identity, file).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%v: %s", err, listed)
	}
	want := "README.txt\n"
	for _, name := range []string{string(picture.ID) + "/original.jpg", string(film.ID) + "/original.mp4"} {
		id, _, _ := strings.Cut(name, "/")
		want += fmt.Sprintf("items/%s\nitems/%[2]s/metadata.json\nitems/%[2]s/receipt.json\nitems/%[2]s/manifest.json\n", name, id)
	}
	if want += "SHA256SUMS\nstatement.json\n"; string(listed) != want {
		h.t.Errorf("age -d | tar t lists:\n%s, want:\n%s", listed, want)
	}
	dir := h.t.TempDir()
	if out, err := exec.Command("bash", "-o", "pipefail", "-c", `"$0" -d -i "$1" "$2" | tar -x -C "$3" && cd "$3" && sha256sum --strict -c SHA256SUMS`, servers.Binary(h.t, "age"), identity, file, dir).CombinedOutput(); err != nil {
		h.t.Errorf("sha256sum -c: %v: %s", err, out)
	}
}

// unpacks opens a package with the command, as its receiver would, and refuses
// every other.
func (h *house) unpacks(packed []byte, identity string, items []media.ItemID, nurse *person) {
	h.t.Helper()
	t, dir := h.t, h.t.TempDir()
	key := hex.EncodeToString(h.signer())
	file := filepath.Join(dir, "package.tar.age")
	open := func(want int, text []byte, identity, key, into string) string {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		into = filepath.Join(dir, into)
		out, errs, status := servers.Run(t, "", "retention", "open", file, "--identity", identity, "--key", key, "-o", into)
		if status != want {
			t.Errorf("status %d: %s%s", status, out, errs)
		}
		if _, err := os.Stat(into); want != 0 && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something is left of a package that was refused: %v", err)
		}
		return out + errs
	}
	said := open(0, packed, identity, key, "theirs")
	if !strings.Contains(said, "from Example Health Board to Example Archive") || !strings.Contains(said, "approved  Example records2") || !strings.Contains(said, "2 items") || !strings.Contains(said, "annotations: 1, questions with their answers: 2;") {
		t.Error(said)
	}
	threads := map[media.ItemID]string{}
	for _, id := range items {
		var m handover.Metadata
		text, err := os.ReadFile(filepath.Join(dir, "theirs", "items", string(id), "metadata.json"))
		if err != nil || json.Unmarshal(text, &m) != nil {
			t.Fatalf("%v: %s", err, text)
		}
		original, err := os.ReadFile(filepath.Join(dir, "theirs", "items", string(id), m.File))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(original)
		if here := nurse.must("GET", "/items/"+string(id)+"/renditions/original-clean", http.StatusOK, nil).body; !bytes.Equal(original, here) || m.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is not the original", m.File)
		}
		if m.Patient.Number != "9990000018" || m.Patient.Name != "Test Patient" || m.Team != "Tissue viability" || m.FiledBy != "Example nurse" || m.Consent == "" || m.FiledAt.IsZero() {
			t.Errorf("the metadata: %s", text)
		}
		if id == items[0] && (m.BodySite != "left heel" || m.Note != "smells" || len(m.Annotations) != 1 || m.Annotations[0].By != "Example nurse" || !strings.Contains(string(m.Annotations[0].Marks), "arrow")) {
			t.Errorf("the metadata: %s", text)
		}
		for _, q := range m.Questions {
			if q.Referral == "" || q.At.IsZero() {
				t.Errorf("a question: %+v", q)
			}
			threads[id] += fmt.Sprintf("%s asks %s %s about %d: %s (%s)\n", q.By, q.To.Kind, q.To.Name, len(q.Items), q.Question, q.State)
			for _, m := range q.Thread {
				threads[id] += fmt.Sprintf("- %s, %s: %s\n", m.By, m.Kind, m.Text)
			}
		}
	}
	both := "Example nurse asks person Example consultant about 2: Is this infected? (closed)\n- Example consultant, answer: It is clean.\n- Example nurse, items: \n- Example nurse, close: Thank you.\n"
	if got := threads[items[0]]; got != both+"Example nurse asks team Tissue viability about 1: Since when? (waiting)\n" {
		t.Errorf("asked about the picture: %s", got)
	}
	if got := threads[items[1]]; got != both { // what was asked under the other patient is that one's
		t.Errorf("asked about the film: %s", got)
	}
	_, stranger := receiver(t, true)
	if said := open(1, packed, stranger, key, "strangers"); !strings.Contains(said, "none of the identities opens it") {
		t.Error(said)
	}
	if said := open(1, packed, identity, strings.Repeat("0", 64), "unsigned"); !strings.Contains(said, "not signed by that key") {
		t.Error(said)
	}
	open(1, packed[:len(packed)-100], identity, key, "cut")
	changed := bytes.Clone(packed)
	changed[len(changed)/2] ^= 1
	open(1, changed, identity, key, "changed")
	text, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	h.forged(packed, string(text), func(text []byte) { t.Helper(); open(1, text, identity, key, "forged") })
}

// forged makes packages that are whole to age and tar, and not what was signed.
func (h *house) forged(packed []byte, identity string, each func(text []byte)) {
	h.t.Helper()
	ids, err := archive.ParseAnyIdentities(identity)
	if err != nil {
		h.t.Fatal(err)
	}
	plain, err := ids.Reader(bytes.NewReader(packed))
	if err != nil {
		h.t.Fatal(err)
	}
	var tarred bytes.Buffer
	if _, err := tarred.ReadFrom(plain); err != nil {
		h.t.Fatal(err)
	}
	to := regexp.MustCompile(`"recipient":"(age1[a-z0-9]+)"`).FindSubmatch(tarred.Bytes())
	party, err := archive.ParseParty(string(to[1]))
	if err != nil {
		h.t.Fatal(err)
	}
	files := untar(h.t, tarred.Bytes())
	for _, forge := range []func(name string, text []byte) (string, []byte){
		func(name string, text []byte) (string, []byte) { // a body site changed
			return name, bytes.Replace(text, []byte(`"left heel"`), []byte(`"rght heel"`), 1)
		},
		func(name string, text []byte) (string, []byte) { // a file left out
			if strings.HasSuffix(name, "/receipt.json") {
				return "", nil
			}
			return name, text
		},
		func(name string, text []byte) (string, []byte) { // out of the folder
			if name == "README.txt" {
				return "../README.txt", text
			}
			return name, text
		},
		func(name string, text []byte) (string, []byte) { // no statement
			if name == "statement.json" {
				return "", nil
			}
			return name, text
		},
	} {
		var out bytes.Buffer
		w, err := party.Encrypt(&out)
		if err != nil {
			h.t.Fatal(err)
		}
		retar(h.t, w, files, forge)
		if err := w.Close(); err != nil {
			h.t.Fatal(err)
		}
		each(out.Bytes())
	}
}

// A package takes no more memory than its chunks, however large what is in it.
func TestHandoverNeedsNoMemoryForMore(t *testing.T) { // not beside others, whose memory would count
	h := open(t, "sqlite+filesystem", kept(retention.Scotland, time.Hour))
	if err := h.guided(h.hire("records2", "records-officer")); err != nil {
		t.Fatal(err)
	}
	one, two := h.as("records"), h.as("records2")
	var f api.Filing
	film := shot(t, ".mp4", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=2,noise=alls=100:allf=t", "-c:v", "mpeg4", "-q:v", "1")
	h.as("nurse").upload(film, h.details()).into(t, &f)
	if len(film) < 32<<20 {
		t.Fatalf("a film of %d bytes proves nothing", len(film))
	}
	h.dead(f.Item.Patient)
	recipient, _ := receiver(t, true)
	var made struct{ ID retention.HandoverID }
	one.must("POST", "/handovers", http.StatusCreated, body{"items": []media.ItemID{f.Item.ID}, "receiver": "Example Archive", "recipient": recipient, "reason": "x"}).into(t, &made)
	two.proves().must("POST", "/handovers/"+string(made.ID)+"/approve", http.StatusNoContent, body{})
	packed, err := h.sys.Flows().Handover.Package(t.Context(), one.proves().principal(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	film = nil
	w := &weighing{}
	runtime.GC()
	runtime.ReadMemStats(&w.before)
	if err := packed.Write(t.Context(), w); err != nil || w.n < 32<<20 {
		t.Fatalf("%d bytes, %v", w.n, err)
	}
	if w.most > 8<<20 {
		t.Errorf("%d bytes of memory for a package of %d", w.most, w.n)
	}
}

// weighing looks at the memory in use now and then.
type weighing struct {
	before  runtime.MemStats
	n, most int64
}

func (w *weighing) Write(p []byte) (int, error) {
	if w.n/(4<<20) != (w.n+int64(len(p)))/(4<<20) {
		var now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&now)
		w.most = max(w.most, int64(now.HeapAlloc)-int64(w.before.HeapAlloc))
	}
	w.n += int64(len(p))
	return len(p), nil
}

// The same by the pages; what is refused or taken back is due again.
func TestHandoverPages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.Scotland, time.Hour))
	if err := h.guided(h.hire("records2", "records-officer")); err != nil {
		t.Fatal(err)
	}
	one, two := h.as("records"), h.as("records2")
	it := h.file(h.as("nurse"))
	h.dead(it.Patient)
	recipient, _ := receiver(t, false)
	says(t, one.does("/due", url.Values{"decision": {"hand-over"}}, http.StatusUnprocessableEntity), `href="#item"`, "Tick at least one")
	asked := one.does("/due", url.Values{"decision": {"hand-over"}, "item": {string(it.ID)}}, http.StatusOK)
	says(t, asked, "Hand over 1 picture", `name="item" value="`+string(it.ID)+`"`, "age recipient")
	form := url.Values{"item": {string(it.ID)}, "receiver": {"Example Archive"}, "recipient": {recipient}, "reason": {"it moves there"}}
	for _, field := range []string{"receiver", "recipient", "reason"} {
		wrong := with(form)
		wrong.Set(field, "")
		says(t, one.does("/handovers", wrong, http.StatusUnprocessableEntity), `href="#`+field+`"`, `id="`+field+`"`, `name="item" value="`+string(it.ID)+`"`)
	}
	proposed := one.does("/handovers", form, http.StatusOK)
	says(t, proposed, "Nothing leaves this system yet", "You proposed this yourself", "to Example Archive", recipient)
	at := regexp.MustCompile(`/handovers/[0-9a-f-]{36}`).FindString(proposed)
	says(t, one.page("/handovers", http.StatusOK), "Waits for a second person", "Not fetched", at)
	says(t, two.does(at+"/end", url.Values{}, http.StatusUnprocessableEntity), `href="#undone_reason"`)
	says(t, two.does(at+"/end", url.Values{"undone_reason": {"not theirs"}}, http.StatusOK), "Ended", "not theirs")
	if due := one.due(); len(due) != 1 {
		t.Errorf("due after it was refused: %+v", due)
	}

	at = regexp.MustCompile(`/handovers/[0-9a-f-]{36}`).FindString(one.does("/handovers", form, http.StatusOK))
	says(t, two.does(at+"/approve", nil, http.StatusOK), "Is it still you?", `name="next" value="`+at+`"`)
	says(t, two.proves().does(at+"/approve", url.Values{"approved_reason": {"agreed"}}, http.StatusOK), "Approved", "agreed", "Fetch the package")
	if page := one.page(at, http.StatusOK); strings.Contains(page, "They have it") {
		t.Error("it can be confirmed before it was fetched")
	}
	says(t, one.page(at+"/package", http.StatusOK), "Is it still you?", `name="next" value="`+at+`/package"`)
	if a := one.proves().send("GET", at+"/package", nil); a.status != http.StatusOK || !bytes.HasPrefix(a.body, []byte("age-encryption.org/v1\n-> X25519 ")) || !strings.Contains(a.header.Get("Content-Disposition"), ".tar.age") {
		t.Errorf("the package: %d %v", a.status, a.header)
	}
	said := url.Values{"confirmed_by": {"Example Archivist"}, "on_day": {"3"}, "on_month": {"2"}, "on_year": {"2026"}, "reference": {"EA 7/26"}}
	for field, want := range map[string]string{"confirmed_by": "confirmed_by", "on_year": "on", "reference": "reference"} {
		wrong := with(said)
		wrong.Set(field, "")
		says(t, one.does(at+"/confirm", wrong, http.StatusUnprocessableEntity), `href="#`+want+`"`)
	}
	says(t, one.does(at+"/confirm", said, http.StatusOK), "Confirmed by the receiver", "Example Archivist", "EA 7/26", "3 February 2026")
	says(t, one.page("/due", http.StatusOK), "Handed over", "to Example Archive, who confirmed it")
	if a := h.as("auditor").send("GET", at, nil); a.status != http.StatusOK || strings.Contains(string(a.body), "<form method=\"post\" action=\"/handovers") {
		t.Errorf("an auditor: %d", a.status)
	}
	if a := h.as("auditor").send("GET", at+"/package", nil); a.status != http.StatusForbidden {
		t.Errorf("an auditor fetches the package: %d", a.status)
	}
}

// packedFile is a file of a package, in its order.
type packedFile struct {
	name string
	text []byte
}

func untar(t *testing.T, tarred []byte) (out []packedFile) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(tarred)); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, packedFile{head.Name, text})
	}
}

func retar(t *testing.T, dst io.Writer, files []packedFile, forge func(string, []byte) (string, []byte)) {
	t.Helper()
	w := tar.NewWriter(dst)
	for _, f := range files {
		name, text := forge(f.name, f.text)
		if name == "" {
			continue
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
