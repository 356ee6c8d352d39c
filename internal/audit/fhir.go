package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// FHIRWriter writes events as one FHIR R4 Bundle of AuditEvents, as a stream.
// Pictures shown and filed keep to IHE's Basic Audit Log Patterns (BALP) for
// reading and creating with a patient; others are plain AuditEvents.
type FHIRWriter struct {
	w     io.Writer
	names Names
	url   string // how people reach the server
	n     int
}

const (
	balp     = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
	dicom    = "http://dicom.nema.org/resources/ontology/DCM"
	terms    = "http://terminology.hl7.org/CodeSystem/"
	uri      = "urn:ietf:rfc:3986"
	urn      = "urn:uuid:"
	ourTypes = "https://wardseal.example/audit-types"
)

// The parts of an AuditEvent that are used here.
type (
	coding struct {
		System  string `json:"system,omitempty"`
		Code    string `json:"code"`
		Display string `json:"display,omitempty"`
	}
	concept struct {
		Coding []coding `json:"coding,omitempty"`
	}
	identifier struct {
		System string `json:"system,omitempty"`
		Value  string `json:"value"`
	}
	reference struct {
		Type       string      `json:"type,omitempty"`
		Identifier *identifier `json:"identifier,omitempty"`
		Display    string      `json:"display,omitempty"`
	}
	extension struct {
		URL       string `json:"url"`
		ValueCode string `json:"valueCode"`
	}
	network struct {
		Extension []extension `json:"extension,omitempty"`
		Address   string      `json:"address,omitempty"`
		Type      string      `json:"type,omitempty"`
	}
	agent struct {
		Type      *concept   `json:"type,omitempty"`
		Who       *reference `json:"who,omitempty"`
		Name      string     `json:"name,omitempty"`
		Requestor bool       `json:"requestor"`
		Network   *network   `json:"network,omitempty"`
	}
	source struct {
		Site     string    `json:"site,omitempty"`
		Observer reference `json:"observer"`
		Type     []coding  `json:"type,omitempty"`
	}
	detail struct {
		Type        string `json:"type"`
		ValueString string `json:"valueString"`
	}
	entity struct {
		What   *reference `json:"what,omitempty"`
		Type   *coding    `json:"type,omitempty"`
		Role   *coding    `json:"role,omitempty"`
		Name   string     `json:"name,omitempty"`
		Detail []detail   `json:"detail,omitempty"`
	}
	profiles struct {
		Profile []string `json:"profile"`
	}
	auditEvent struct {
		ResourceType string    `json:"resourceType"`
		ID           string    `json:"id"`
		Meta         *profiles `json:"meta,omitempty"`
		Type         coding    `json:"type"`
		Subtype      []coding  `json:"subtype,omitempty"`
		Action       string    `json:"action,omitempty"`
		Recorded     string    `json:"recorded"`
		Outcome      string    `json:"outcome"`
		OutcomeDesc  string    `json:"outcomeDesc,omitempty"`
		Agent        []agent   `json:"agent"`
		Source       source    `json:"source"`
		Entity       []entity  `json:"entity,omitempty"`
	}
)

// NewFHIRWriter begins the Bundle.
func NewFHIRWriter(w io.Writer, n Names, url string, at time.Time) (*FHIRWriter, error) {
	_, err := fmt.Fprintf(w, `{"resourceType":"Bundle","type":"collection","timestamp":%q`, at.UTC().Format(time.RFC3339))
	return &FHIRWriter{w: w, names: n, url: url}, err
}

// Write adds an event.
func (f *FHIRWriter) Write(e Event) error {
	b, err := json.Marshal(f.resource(e))
	if err != nil {
		return err
	}
	lead := `,`
	if f.n == 0 {
		lead = `,"entry":[`
	}
	f.n++
	_, err = fmt.Fprintf(f.w, "%s\n{\"fullUrl\":%q,\"resource\":%s}", lead, urn+e.ID, b)
	return err
}

// Close ends the Bundle.
func (f *FHIRWriter) Close() error {
	end := "\n}\n"
	if f.n > 0 {
		end = "\n]}\n"
	}
	_, err := io.WriteString(f.w, end)
	return err
}

func named(id string) *identifier { return &identifier{uri, urn + id} }

func (f *FHIRWriter) resource(e Event) auditEvent {
	a := auditEvent{ResourceType: "AuditEvent", ID: e.ID, Recorded: e.At.UTC().Format("2006-01-02T15:04:05.000000Z"), Outcome: "0", OutcomeDesc: e.Sentence(f.names).String()}
	a.Type, a.Subtype, a.Action = kindOf(e)
	for _, d := range typeDocs {
		if d.Type == e.Type && e.Type != ItemFiled { // BALP has one subtype, and no other, for what is created
			a.Subtype = append(a.Subtype, coding{ourTypes, string(e.Type), d.Says.String()})
		}
	}
	switch e.Type {
	case AccessDenied, LinkRefused, InvitationRefused, TicketRefused, SignInFailed, SignInLocked, ItemRefused, RenditionFailed:
		a.Outcome = "4"
	}
	a.Source = source{Site: f.url, Observer: reference{Display: "Wardseal"}, Type: []coding{{terms + "security-source-type", "4", "Application Server"}}}
	a.Agent, a.Entity = f.agents(e), entities(e)
	if e.Subject.Patient != "" && e.Subject.Item != "" {
		switch e.Type {
		case PictureShown:
			a.Meta = &profiles{[]string{balp + "PatientRead"}}
		case ItemFiled:
			a.Meta = &profiles{[]string{balp + "PatientCreate"}}
		}
	}
	return a
}

// kindOf is how the standard's vocabularies name an event.
func kindOf(e Event) (coding, []coding, string) {
	rest := coding{terms + "audit-event-type", "rest", "Restful Operation"}
	interaction := func(code string) []coding { return []coding{{"http://hl7.org/fhir/restful-interaction", code, code}} }
	code := func(code, display string) coding { return coding{dicom, code, display} }
	switch e.Type {
	case PictureShown:
		return rest, interaction("read"), "R"
	case ItemFiled:
		return rest, interaction("create"), "C"
	case SignedIn, SignInFailed, SignInLocked:
		return code("110114", "User Authentication"), []coding{code("110122", "Login")}, "E"
	case SignedOut:
		return code("110114", "User Authentication"), []coding{code("110123", "Logout")}, "E"
	case AccessDenied, LinkRefused, InvitationRefused, TicketRefused, GlassBroken:
		return code("110113", "Security Alert"), nil, "E"
	case ItemHandedOver:
		return code("110106", "Export"), nil, "R"
	case PatientFound, ItemsListed, ReferralsListed, AuditRead, OversightRead:
		return code("110112", "Query"), nil, "E"
	case PatientShown, ItemDescribed, AnnotationsShown, ReferralRead, LinkVisited, LinkOpened:
		return code("110110", "Patient Record"), nil, "R"
	case PatientAdded, CaseOpened, LinkMade, ReferralMade, ReferralWritten, Annotated:
		return code("110110", "Patient Record"), nil, "C"
	}
	return code("110100", "Application Activity"), nil, "E"
}

// agents are who acted, from where, and this server. In a read the client is
// the destination of the data, in everything else its source.
func (f *FHIRWriter) agents(e Event) []agent {
	client, server := coding{dicom, "110153", "Source Role ID"}, coding{dicom, "110152", "Destination Role ID"}
	if e.Type == PictureShown || e.Type == ItemHandedOver {
		client, server = coding{dicom, "110152", "Destination Role ID"}, coding{dicom, "110153", "Source Role ID"}
	}
	session := &reference{Display: "the server itself"}
	if e.Session != "" {
		session = &reference{Identifier: named(string(e.Session))}
	}
	out := []agent{
		{Type: &concept{[]coding{client}}, Who: session, Network: &network{Extension: []extension{{"http://hl7.org/fhir/StructureDefinition/data-absent-reason", "not-asked"}}}, Requestor: e.Actor == ""},
		{Type: &concept{[]coding{server}}, Who: &reference{Display: "Wardseal"}, Network: &network{Address: f.url, Type: "5"}},
	}
	if e.Actor != "" {
		part := coding{terms + "v3-ParticipationType", "IRCP", "information recipient"}
		if e.Type == ItemFiled {
			part.Code, part.Display = "AUT", "author (originator)"
		}
		who := agent{Type: &concept{[]coding{part}}, Who: &reference{Identifier: named(string(e.Actor))}, Name: f.names.Person(e.Actor).String(), Requestor: true}
		out = append(out, who)
	}
	return out
}

func entities(e Event) []entity {
	var out []entity
	add := func(id, kind, role, roleSays, display string) {
		if id == "" {
			return
		}
		x := entity{What: &reference{Identifier: named(id), Display: display}, Type: &coding{terms + "audit-entity-type", kind, map[string]string{"1": "Person", "2": "System Object"}[kind]}}
		if role == "1" {
			x.What.Type = "Patient"
		}
		x.Role = &coding{terms + "object-role", role, roleSays}
		out = append(out, x)
	}
	s := e.Subject
	add(s.Patient, "1", "1", "Patient", "")
	if s.Item != "" {
		add(s.Item, "2", "4", "Domain Resource", "picture or video")
	} else {
		for _, x := range []struct{ id, what string }{{s.Link, "link"}, {s.Case, "case"}, {s.Referral, "referral"}, {s.Incident, "incident"}, {s.Emergency, "emergency access"}, {s.Key, "key"}, {s.Token, "token"}, {s.Handover, "handover"}} {
			if x.id != "" {
				add(x.id, "2", "4", "Domain Resource", x.what)
				break
			}
		}
	}
	if s.Person != "" && s.Person != string(e.Actor) {
		out = append(out, entity{What: &reference{Identifier: named(s.Person), Display: "member of staff"}, Type: &coding{terms + "audit-entity-type", "1", "Person"}, Role: &coding{terms + "object-role", "11", "Security User Entity"}})
	}
	if e.Request != "" {
		out = append(out, entity{What: &reference{Identifier: &identifier{Value: e.Request}}, Type: &coding{"https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId", "X-Request-Id"}})
	}
	if more := facts(e); len(more) > 0 {
		out = append(out, entity{Name: "facts", Type: &coding{terms + "audit-entity-type", "4", "Other"}, Detail: more})
	}
	return out
}

// facts are what has no place of its own.
func facts(e Event) []detail {
	out := []detail{{"number", fmt.Sprint(e.Seq)}, {"event", string(e.Type)}}
	for _, x := range []struct{ name, value string }{{"rendition", e.Subject.Rendition}, {"grant", e.Subject.Grant}, {"link", e.Subject.Link}, {"team", e.Subject.Team}} {
		if x.value != "" {
			out = append(out, detail{x.name, x.value})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
		if e.Detail[k] != "" { // a value has at least one character
			out = append(out, detail{k, e.Detail[k]})
		}
	}
	return out
}
