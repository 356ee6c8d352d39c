// Package paper prints certificates.
package paper

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/retention"
)

const (
	margin = 18.0 // mm
	width  = 210 - 2*margin
)

// Certificate gives a certificate as a PDF to read, sign and file. What counts
// is the signed JSON, whose hash it bears; it is made of that alone, so that
// the same certificate is always the same document.
func Certificate(c disposal.Certificate, signed []byte) ([]byte, error) {
	p := &page{fpdf.New("P", "mm", "A4", "")}
	p.SetCatalogSort(true) // or fonts come in any order
	// Of copies: the library writes into the fonts that it is given.
	p.AddUTF8FontFromBytes("go", "", bytes.Clone(goregular.TTF))
	p.AddUTF8FontFromBytes("go", "B", bytes.Clone(gobold.TTF))
	p.AddUTF8FontFromBytes("mono", "", bytes.Clone(gomono.TTF))
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(true, margin+4)
	p.SetCreationDate(c.FinishedAt)
	p.SetModificationDate(c.FinishedAt)
	p.SetTitle("Certificate of destruction", true)
	p.SetLang("en-GB")
	p.SetFooterFunc(func() {
		p.SetY(-margin)
		p.SetFont("go", "", 8)
		p.CellFormat(width/2, 5, "Batch "+string(c.Batch), "", 0, "L", false, 0, "")
		p.CellFormat(width/2, 5, fmt.Sprintf("Page %d of {nb}", p.PageNo()), "", 0, "R", false, 0, "")
	})
	p.AliasNbPages("")
	p.AddPage()
	p.head(c)
	p.body(c)
	p.sign(signed)
	p.method(c)
	p.lines(c)
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		return nil, fmt.Errorf("print the certificate: %w", err)
	}
	return out.Bytes(), nil
}

type page struct{ *fpdf.Fpdf }

func (p *page) head(c disposal.Certificate) {
	p.SetFont("go", "B", 20)
	p.MultiCell(width, 9, "Certificate of destruction", "", "L", false)
	p.SetFont("go", "", 11)
	what := "Final: no backup of the database can hold a key of these any more."
	if !c.Final {
		what = "Interim: backups of the database may hold keys of these until " + moment(c.Backups.LastGone) + ". A final certificate follows."
	}
	p.MultiCell(width, 6, c.Organisation, "", "L", false)
	p.Ln(2)
	p.SetFillColor(232, 237, 238)
	p.MultiCell(width, 7, what, "", "L", true)
	p.Ln(3)
}

func (p *page) body(c disposal.Certificate) {
	p.row("Destroyed", count(len(c.Destroyed)))
	if len(c.Spared) > 0 {
		p.row("Spared", count(len(c.Spared)))
	}
	p.row("Why", grounds[c.Ground])
	if s := c.Schedule; s != nil {
		p.row("Schedule", fmt.Sprintf("%s. Edition %s for %s, version %d here.", s.Source, s.Edition, countries[s.Jurisdiction], s.Version))
	}
	p.row("Proposed by", by(c.Proposed))
	p.row("Approved by", by(c.Approved))
	p.row("Could be undone until", moment(c.UndoUntil))
	p.row("Destruction began", moment(c.StartedAt))
	p.row("Destruction ended", moment(c.FinishedAt))
	p.row("Holds", c.HoldCheck)
	p.row("Backups", fmt.Sprintf("Of the database: kept for %s; the last that holds a key of these is gone by %s. %s", c.Backups.KeptFor, moment(c.Backups.LastGone), c.Backups.OfObjects))
}

func (p *page) method(c disposal.Certificate) {
	p.title("How it was done")
	for i, m := range c.Method {
		p.SetFont("go", "", 10)
		p.CellFormat(7, 5, fmt.Sprintf("%d.", i+1), "", 0, "L", false, 0, "")
		p.MultiCell(width-7, 5, m, "", "L", false)
	}
}

var grounds = map[retention.Ground]string{
	retention.PeriodEnded:      "Their retention period has ended.",
	retention.ConsentWithdrawn: "Consent to them was withdrawn.",
	retention.Erasure:          "Their erasure was asked for (UK GDPR, Article 17).",
}

var countries = map[retention.Jurisdiction]string{retention.England: "England", retention.Scotland: "Scotland"}

// triggers say what ended a period.
var triggers = map[string]string{
	string(retention.LastSeen): "Counted from when the patient was last seen", string(retention.Death): "Counted from the patient's death",
	string(retention.Birthday): "Until a birthday of the patient", string(retention.ConsentEnded): "Consent ended", "": "Before its period ended",
}

func (p *page) lines(c disposal.Certificate) {
	p.AddPage() // what is signed stands before it, on one page
	p.title("What was destroyed")
	for _, l := range c.Destroyed {
		if p.GetY() > 297-margin-32 {
			p.AddPage()
		}
		p.SetFont("mono", "", 8.5)
		p.MultiCell(width, 4.5, string(l.Item), "T", "L", false)
		p.SetFont("go", "", 9)
		p.MultiCell(width, 4.5, fmt.Sprintf("%s, %d bytes, filed %s by %s. %s (%s). %s; could be reviewed from %s. %d renditions; their keys were destroyed %s.",
			l.Format, l.Bytes, moment(l.FiledAt), l.Team, l.Class, l.Rule, triggers[l.Trigger], dayOr(l.DueOn), l.Renditions, moment(l.KeysGoneAt)), "", "L", false)
		if o := l.HandedOver; o != nil {
			p.MultiCell(width, 4.5, fmt.Sprintf("Handed over to %s, confirmed by %s on %s, reference %s (handover %s).", o.To, o.ConfirmedBy, dayOr(o.ConfirmedOn), o.Reference, o.Handover), "", "L", false)
		}
		p.SetFont("mono", "", 7.5)
		p.MultiCell(width, 4, "patient "+l.Patient+"\npicture SHA-256 "+l.PlainSHA256+"\nobject  SHA-256 "+l.ObjectSHA256, "", "L", false)
		p.Ln(1)
	}
	if len(c.Spared) == 0 {
		return
	}
	p.title("What was spared")
	for _, s := range c.Spared {
		p.SetFont("mono", "", 8.5)
		p.CellFormat(80, 5, string(s.Item), "", 0, "L", false, 0, "")
		p.SetFont("go", "", 9)
		p.MultiCell(width-80, 5, spared[s.Why], "", "L", false)
	}
}

var spared = map[string]string{
	retention.SparedHeld:   "a hold was on it",
	retention.SparedNotDue: "its record came back into use, or its date moved",
	retention.SparedGone:   "it had been destroyed before",
}

// sign is what the records team signs, on the first page.
func (p *page) sign(signed []byte) {
	sum := sha256.Sum256(signed)
	p.title("To check this")
	p.SetFont("go", "", 10)
	p.MultiCell(width, 5, "What counts is the signed certificate (JSON) whose SHA-256 is below: wardseal retention verify checks it offline. Patients are named by a keyed hash of their number; the records team can match a number against it.", "", "L", false)
	p.SetFont("mono", "", 8.5)
	p.MultiCell(width, 5, hex.EncodeToString(sum[:]), "", "L", false)
	p.Ln(15)
	p.SetFont("go", "", 9)
	const gap = 6.0
	for i, under := range []string{"Signed for the records team", "Name", "Date"} {
		wide := []float64{width*0.42 - gap, width*0.34 - gap, width * 0.24}[i]
		p.CellFormat(wide, 5, under, "T", 0, "L", false, 0, "")
		p.CellFormat(gap, 5, "", "", 0, "L", false, 0, "")
	}
	p.Ln(7)
}

func (p *page) title(text string) {
	p.Ln(3)
	p.SetFont("go", "B", 13)
	p.MultiCell(width, 7, text, "", "L", false)
}

func (p *page) row(name, value string) {
	const left = 45.0
	y := p.GetY()
	p.SetFont("go", "B", 10)
	p.MultiCell(left, 5.5, name, "", "L", false)
	below := p.GetY()
	p.SetXY(margin+left, y)
	p.SetFont("go", "", 10)
	p.MultiCell(width-left, 5.5, value, "", "L", false)
	p.SetXY(margin, max(below, p.GetY()))
}

func count(n int) string {
	if n == 1 {
		return "1 picture or video"
	}
	return fmt.Sprintf("%d pictures and videos", n)
}

func by(s disposal.Signatory) string {
	if s.Person == "" {
		return s.Name + ", " + moment(s.At)
	}
	return fmt.Sprintf("%s, %s\n%s, %s", s.Name, moment(s.At), strings.ReplaceAll(string(s.Role), "-", " "), s.Person)
}

func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// dayOr spells a day, if there is one.
func dayOr(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return "no date"
	}
	return retention.Spell(t)
}
