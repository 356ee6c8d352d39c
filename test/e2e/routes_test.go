package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
)

// guard says how one route is guarded: which action of the decision table it
// is, and what it answers when the table allows it and when the relation to the
// item is what is missing. An answer is a status and a problem's code.
type guard struct {
	action  access.Action
	allowed string
	hidden  string // "404 not-found" unless said otherwise
	any     bool   // the role is enough here, whatever the table needs: what is acted on is one's own
	ask     func(f *fixture) answer
}

// unguarded routes are those that somebody who is not signed in needs.
var unguarded = map[string]bool{"POST /api/v1/session": true, "GET /api/v1/openapi.json": true, "POST /api/v1/invited/code": true, "POST /api/v1/invited/open": true, "POST /api/v1/password": true}

// fixture is one person in one relation to one item, for one request.
type fixture struct {
	*person
	item, link, secret string
	referral           string
	rel                access.Relation
	patient, other     string // a patient; a person to act on
	picture            []byte
}

func (f *fixture) to(method, path string, in any) answer { return f.ask(method, path, in) }

func ask(method, path string, in any) func(f *fixture) answer {
	return func(f *fixture) answer {
		return f.to(method, strings.NewReplacer("{item}", f.item, "{link}", f.link, "{patient}", f.patient, "{other}", f.other, "{team}", string(f.h.team), "{referral}", f.referral).Replace(path), in)
	}
}

func withSecret(path string) func(f *fixture) answer {
	return func(f *fixture) answer { return f.to("POST", path, map[string]string{"secret": f.secret}) }
}

// opened asks for a picture through a grant: the person's own where they can
// open the link, and otherwise one that another session was given.
func opened(method string) func(f *fixture) answer {
	return func(f *fixture) answer {
		var g api.Grant
		if a := f.open(f.secret); a.status == http.StatusOK {
			a.into(f.h.t, &g)
		} else {
			secret, _ := f.h.linkTo(f.item, f.h.ids["consultant"])
			f.h.session("consultant").must("POST", "/links/open", http.StatusOK, map[string]string{"secret": secret}).into(f.h.t, &g)
		}
		return f.to(method, "/grants/"+string(g.ID)+"/renditions/original-clean", nil)
	}
}

type body = map[string]any

var guards = map[string]guard{
	"GET /session":                         {action: access.OwnAccount, allowed: "200", ask: ask("GET", "/session", nil)},
	"DELETE /session":                      {action: access.OwnAccount, allowed: "204", ask: ask("DELETE", "/session", nil)},
	"PUT /session/password":                {action: access.ChoosePassword, allowed: "403 password-wrong", ask: ask("PUT", "/session/password", body{"present_password": "wrong", "password": "another long password"})},
	"POST /session/step-up":                {action: access.OwnAccount, allowed: "403 password-wrong", ask: ask("POST", "/session/step-up", body{"password": "wrong"})},
	"GET /session/email":                   {action: access.OwnAccount, allowed: "200", ask: ask("GET", "/session/email", nil)},
	"PUT /session/email":                   {action: access.OwnAccount, allowed: "204", ask: ask("PUT", "/session/email", body{"email": ""})},
	"GET /sessions":                        {action: access.OwnAccount, allowed: "200", ask: ask("GET", "/sessions", nil)},
	"DELETE /sessions/:id":                 {action: access.OwnAccount, allowed: "404 session-unknown", ask: ask("DELETE", "/sessions/{item}", nil)},
	"GET /tokens":                          {action: access.OwnAccount, allowed: "200", ask: ask("GET", "/tokens", nil)},
	"POST /tokens":                         {action: access.OwnAccount, allowed: "403 step-up-needed", ask: ask("POST", "/tokens", body{"name": "script", "scopes": []string{"items.read"}, "ttl_seconds": 60})},
	"DELETE /tokens/:id":                   {action: access.OwnAccount, allowed: "404 token-unknown", ask: ask("DELETE", "/tokens/{item}", nil)},
	"GET /session/push":                    {action: access.OwnAccount, allowed: "200", ask: ask("GET", "/session/push", nil)},
	"PUT /session/push":                    {action: access.OwnAccount, allowed: "409 push-missing", ask: ask("PUT", "/session/push", body{"endpoint": "https://example.org/x", "p256dh": "x", "auth": "x"})},
	"GET /session/identities":              {action: access.OwnAccount, allowed: "200", ask: ask("GET", "/session/identities", nil)},
	"DELETE /session/identities/:provider": {action: access.OwnAccount, allowed: "404 provider-unknown", ask: ask("DELETE", "/session/identities/none", nil)},
	"POST /session/push/end":               {action: access.OwnAccount, allowed: "204", ask: ask("POST", "/session/push/end", body{"endpoint": "https://example.org/x"})},

	"GET /status":                       {action: access.WatchSystem, allowed: "200", ask: ask("GET", "/status", nil)},
	"GET /people":                       {action: access.ListPeople, allowed: "200", ask: ask("GET", "/people", nil)},
	"POST /people":                      {action: access.ManagePeople, allowed: "422 username-form", ask: ask("POST", "/people", body{"username": "!", "name": "x", "role": "auditor", "password": password})},
	"PUT /people/:id":                   {action: access.ManagePeople, allowed: "204", ask: ask("PUT", "/people/{other}", body{"name": "Example", "role": "clinician"})},
	"POST /people/:id/suspend":          {action: access.ManagePeople, allowed: "204", ask: ask("POST", "/people/{other}/suspend", nil)},
	"POST /people/:id/restore":          {action: access.ManagePeople, allowed: "204", ask: ask("POST", "/people/{other}/restore", nil)},
	"POST /people/:id/reset-factors":    {action: access.ManagePeople, allowed: "204", ask: ask("POST", "/people/{other}/reset-factors", nil)},
	"POST /people/:id/ticket":           {action: access.ManagePeople, allowed: "403 step-up-needed", ask: ask("POST", "/people/{other}/ticket", nil)},
	"POST /people/:id/unlock":           {action: access.ManagePeople, allowed: "204", ask: ask("POST", "/people/{other}/unlock", nil)},
	"GET /teams":                        {action: access.ListTeams, allowed: "200", ask: ask("GET", "/teams", nil)},
	"POST /teams":                       {action: access.ManageTeams, allowed: "422 team-name", ask: ask("POST", "/teams", body{"name": ""})},
	"PUT /teams/:id/members/:person":    {action: access.ManageTeams, allowed: "204", ask: ask("PUT", "/teams/{team}/members/{other}", nil)},
	"DELETE /teams/:id/members/:person": {action: access.ManageTeams, allowed: "204", ask: ask("DELETE", "/teams/{team}/members/{other}", nil)},
	"POST /patients":                    {action: access.RegisterPatient, allowed: "409 patient-known", ask: ask("POST", "/patients", body{"patient_number_kind": "nhs", "patient_number": "9990000018", "name": "Test Patient", "date_of_birth": "1950-01-31"})},
	"POST /patients/find":               {action: access.FindPatient, allowed: "200", ask: ask("POST", "/patients/find", body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"})},
	"GET /patients/:id/cases":           {action: access.ListCases, allowed: "200", ask: ask("GET", "/patients/{patient}/cases", nil)},
	"POST /patients/:id/cases": {action: access.OpenCase, allowed: "201", ask: func(f *fixture) answer {
		return f.to("POST", "/patients/"+f.patient+"/cases", body{"team": f.h.team, "title": "heel"})
	}},
	"POST /items":              {action: access.UploadItem, allowed: "200", hidden: "422 team-unknown", ask: func(f *fixture) answer { return f.upload(f.picture, f.h.details()) }},
	"GET /intake":              {action: access.UploadItem, allowed: "200", any: true, ask: ask("GET", "/intake", nil)},
	"OPTIONS /uploads":         {action: access.UploadItem, allowed: "204", any: true, ask: ask("OPTIONS", "/uploads", nil)},
	"POST /uploads":            {action: access.UploadItem, allowed: "201", any: true, ask: func(f *fixture) answer { return f.tus("POST", "", nil, "Upload-Length", "5000") }},
	"HEAD /uploads/:id":        {action: access.UploadItem, allowed: "404", any: true, ask: func(f *fixture) answer { return f.tus("HEAD", f.item, nil) }},
	"PATCH /uploads/:id":       {action: access.UploadItem, allowed: "404 upload-unknown", any: true, ask: func(f *fixture) answer { return f.patch(f.item, 0, nil) }},
	"DELETE /uploads/:id":      {action: access.UploadItem, allowed: "404 upload-unknown", any: true, ask: func(f *fixture) answer { return f.tus("DELETE", f.item, nil) }},
	"GET /uploads/:id/outcome": {action: access.UploadItem, allowed: "404 upload-unknown", any: true, ask: ask("GET", "/uploads/{item}/outcome", nil)},

	"GET /items":                            {action: access.ListItems, allowed: "200", ask: ask("GET", "/items", nil)},
	"GET /items/:id":                        {action: access.DescribeItem, allowed: "200", ask: ask("GET", "/items/{item}", nil)},
	"GET /items/:id/receipt":                {action: access.DescribeItem, allowed: "200", ask: ask("GET", "/items/{item}/receipt", nil)},
	"GET /items/:id/renditions/:rendition":  {action: access.ShowItem, allowed: "200", ask: ask("GET", "/items/{item}/renditions/original-clean", nil)},
	"HEAD /items/:id/renditions/:rendition": {action: access.ShowItem, allowed: "200", ask: ask("HEAD", "/items/{item}/renditions/original-clean", nil)},
	"POST /items/:id/links":                 {action: access.MakeLink, allowed: "422 link-purpose", ask: ask("POST", "/items/{item}/links", body{"audience": body{"kind": "role", "id": "consultant"}})},

	"GET /items/:id/seen": {action: access.DescribeItem, allowed: "200", ask: ask("GET", "/items/{item}/seen", nil)},
	"POST /referrals": {action: access.MakeReferral, allowed: "422 question-missing", ask: func(f *fixture) answer {
		return f.to("POST", "/referrals", body{"items": []string{f.item}, "audience": body{"kind": "role", "id": "consultant"}, "question": " "})
	}},
	"GET /referrals":     {action: access.ListReferrals, allowed: "200", ask: ask("GET", "/referrals?box=to-me", nil)},
	"GET /referrals/:id": {action: access.ReadReferral, allowed: "200", ask: ask("GET", "/referrals/{referral}", nil)},
	"POST /referrals/:id/messages": {action: access.AnswerReferral, allowed: "422 text-missing", ask: func(f *fixture) answer {
		kind := "note"
		if f.rel == access.Asked {
			kind = "answer"
		}
		return f.to("POST", "/referrals/"+f.referral+"/messages", body{"kind": kind, "text": ""})
	}},

	"POST /incidents":                    {action: access.ReportIncident, allowed: "422 kind-missing", ask: ask("POST", "/incidents", body{"kind": "", "text": "x"})},
	"GET /incidents":                     {action: access.HandleIncidents, allowed: "200", ask: ask("GET", "/incidents", nil)},
	"POST /incidents/:id/close":          {action: access.HandleIncidents, allowed: "404 not-found", ask: ask("POST", "/incidents/{item}/close", body{"outcome": "none"})},
	"GET /reports":                       {action: access.ReadReports, allowed: "200", ask: ask("GET", "/reports", nil)},
	"GET /reports/:name":                 {action: access.ReadReports, allowed: "404 report-unknown", ask: ask("GET", "/reports/none", nil)},
	"GET /investigations":                {action: access.Investigate, allowed: "200", ask: ask("GET", "/investigations", nil)},
	"POST /investigations":               {action: access.Investigate, allowed: "422 cause-missing", ask: ask("POST", "/investigations", body{"cause": ""})},
	"GET /investigations/:id":            {action: access.Investigate, allowed: "404 not-found", ask: ask("GET", "/investigations/{item}", nil)},
	"POST /investigations/:id/aware":     {action: access.Investigate, allowed: "404 not-found", ask: ask("POST", "/investigations/{item}/aware", body{"reason": "x"})},
	"POST /investigations/:id/contain":   {action: access.Investigate, allowed: "404 not-found", ask: ask("POST", "/investigations/{item}/contain", body{"links": true})},
	"POST /investigations/:id/decisions": {action: access.Investigate, allowed: "404 not-found", ask: ask("POST", "/investigations/{item}/decisions", body{"about": "people", "decision": "tell", "reason": "x"})},
	"PUT /investigations/:id/draft":      {action: access.Investigate, allowed: "404 not-found", ask: ask("PUT", "/investigations/{item}/draft", body{"nature": "x"})},
	"GET /investigations/:id/report":     {action: access.Investigate, allowed: "404 not-found", ask: ask("GET", "/investigations/{item}/report", nil)},
	"POST /investigations/:id/close":     {action: access.Investigate, allowed: "404 not-found", ask: ask("POST", "/investigations/{item}/close", body{"lessons": "x"})},
	"POST /emergencies":                  {action: access.BreakGlass, allowed: "422 reason-missing", ask: ask("POST", "/emergencies", body{"patient": "x", "reason": ""})},
	"GET /emergencies":                   {action: access.ReviewEmergencies, allowed: "200", ask: ask("GET", "/emergencies", nil)},
	"POST /emergencies/:id/end":          {action: access.BreakGlass, allowed: "404 not-found", ask: ask("POST", "/emergencies/{item}/end", nil)},
	"POST /emergencies/:id/review":       {action: access.ReviewEmergencies, allowed: "404 not-found", ask: ask("POST", "/emergencies/{item}/review", body{"finding": "none"})},
	"GET /items/:id/annotations":         {action: access.SeeAnnotations, allowed: "200", ask: ask("GET", "/items/{item}/annotations", nil)},
	"POST /items/:id/annotations":        {action: access.Annotate, allowed: "201", ask: ask("POST", "/items/{item}/annotations", body{"marks": marks("pressure")})},
	"DELETE /annotations/:id":            {action: access.Annotate, allowed: "204", hidden: "404 not-found", ask: removesOwn},
	"GET /grants/:id/annotations":        {action: access.ShowOpened, allowed: "200", ask: openedAnnotations},

	"GET /links":                             {action: access.ListLinks, allowed: "200", ask: ask("GET", "/links", nil)},
	"DELETE /links/:id":                      {action: access.RevokeLink, allowed: "204", ask: ask("DELETE", "/links/{link}", nil)},
	"POST /links/revoke":                     {action: access.RevokeLink, allowed: "200", any: true, ask: func(f *fixture) answer { return f.to("POST", "/links/revoke", body{"person": f.other}) }},
	"POST /links/visit":                      {action: access.OpenLink, allowed: "200", hidden: "403 link-not-for-you", ask: withSecret("/links/visit")},
	"POST /links/open":                       {action: access.OpenLink, allowed: "200", hidden: "403 link-not-for-you", ask: withSecret("/links/open")},
	"GET /grants/:id/renditions/:rendition":  {action: access.ShowOpened, allowed: "200", ask: opened("GET")},
	"HEAD /grants/:id/renditions/:rendition": {action: access.ShowOpened, allowed: "200", ask: opened("HEAD")},

	"POST /invitations": {action: access.InviteOutside, allowed: "422 name-missing", ask: func(f *fixture) answer {
		return f.to("POST", "/invitations", body{"items": []string{f.item}, "name": " ", "email": "a@example.org", "purpose": "x"})
	}},
	"GET /invitations":                       {action: access.ListInvitations, allowed: "200", ask: ask("GET", "/invitations", nil)},
	"DELETE /invitations/:id":                {action: access.RevokeInvitation, allowed: "404 not-found", any: true, ask: ask("DELETE", "/invitations/{item}", nil)},
	"POST /invitations/:id/revoke-all":       {action: access.RevokeInvitation, allowed: "404 not-found", any: true, ask: ask("POST", "/invitations/{item}/revoke-all", nil)},
	"POST /records/find":                     {action: access.ReadRecords, allowed: "200", ask: ask("POST", "/records/find", body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"})},
	"GET /records/:id":                       {action: access.ReadRecords, allowed: "200", ask: ask("GET", "/records/{patient}", nil)},
	"POST /records/:id/events":               {action: access.KeepRecords, allowed: "422 event-unknown", ask: ask("POST", "/records/{patient}/events", body{"event": "", "on": "2026-01-01"})},
	"POST /records/:id/events/:event/cancel": {action: access.KeepRecords, allowed: "404 not-found", ask: ask("POST", "/records/{patient}/events/{item}/cancel", nil)},
	"POST /records/:id/merge":                {action: access.KeepRecords, allowed: "422 patient-number-missing", ask: ask("POST", "/records/{patient}/merge", body{"patient_number_kind": "nhs", "reason": "x"})},
	"POST /merges/:id/undo":                  {action: access.KeepRecords, allowed: "404 not-found", ask: ask("POST", "/merges/{item}/undo", body{"reason": "x"})},
	"POST /patient-events": {action: access.KeepRecords, allowed: "200", ask: func(f *fixture) answer {
		return f.csv("patient_number_kind,patient_number,date_of_birth,event,on,note\n")
	}},
	"POST /classes":                      {action: access.KeepRecords, allowed: "422 class-unknown", ask: ask("POST", "/classes", body{"patient": "{patient}", "class": "none-such"})},
	"POST /items/:id/move":               {action: access.KeepRecords, allowed: "422 patient-number-missing", ask: ask("POST", "/items/{item}/move", body{"patient_number_kind": "nhs", "reason": "x"})},
	"POST /items/:id/end-consent":        {action: access.KeepRecords, allowed: "422 consent-not-less", ask: ask("POST", "/items/{item}/end-consent", body{"consent": "C"})},
	"GET /schedule":                      {action: access.ReadRecords, allowed: "200", ask: ask("GET", "/schedule", nil)},
	"POST /schedule/confirm":             {action: access.ApplySchedule, allowed: "404 not-found", ask: ask("POST", "/schedule/confirm", body{"class": "adult", "rule": "x"})},
	"POST /schedule/simulate":            {action: access.ApplySchedule, allowed: "409 no-new-schedule", ask: ask("POST", "/schedule/simulate", nil)},
	"POST /schedule/apply":               {action: access.ApplySchedule, allowed: "409 schedule-changed", ask: ask("POST", "/schedule/apply", body{"version": 1})},
	"GET /holds":                         {action: access.ReadRecords, allowed: "200", ask: ask("GET", "/holds", nil)},
	"POST /holds":                        {action: access.PlaceHold, allowed: "422 reason-missing", ask: ask("POST", "/holds", body{"reason": ""})},
	"POST /holds/match":                  {action: access.PlaceHold, allowed: "200", ask: ask("POST", "/holds/match", body{"everything": true})},
	"POST /holds/:id/release":            {action: access.PlaceHold, allowed: "404 not-found", ask: ask("POST", "/holds/{item}/release", body{"reason": "over"})},
	"GET /due":                           {action: access.ReadRecords, allowed: "200", ask: ask("GET", "/due", nil)},
	"POST /due/keep":                     {action: access.ProposeDisposal, allowed: "422 items-missing", ask: ask("POST", "/due/keep", body{"items": []string{}})},
	"GET /disposals":                     {action: access.ReadRecords, allowed: "200", ask: ask("GET", "/disposals", nil)},
	"POST /disposals":                    {action: access.ProposeDisposal, allowed: "422 ground-unknown", ask: ask("POST", "/disposals", body{"ground": "", "items": []string{}})},
	"GET /disposals/:id":                 {action: access.ReadRecords, allowed: "404 not-found", ask: ask("GET", "/disposals/{item}", nil)},
	"POST /disposals/:id/approve":        {action: access.ApproveDisposal, allowed: "404 not-found", ask: ask("POST", "/disposals/{item}/approve", body{})},
	"POST /disposals/:id/refuse":         {action: access.ApproveDisposal, allowed: "404 not-found", ask: ask("POST", "/disposals/{item}/refuse", body{"reason": "no"})},
	"POST /disposals/:id/undo":           {action: access.ApproveDisposal, allowed: "409 too-late", ask: ask("POST", "/disposals/{item}/undo", body{"reason": "no"})},
	"GET /disposals/:id/certificate":     {action: access.ReadRecords, allowed: "404 not-found", ask: ask("GET", "/disposals/{item}/certificate", nil)},
	"GET /disposals/:id/certificate.pdf": {action: access.ReadRecords, allowed: "404 not-found", ask: ask("GET", "/disposals/{item}/certificate.pdf", nil)},
	"POST /disposals/:id/match":          {action: access.ReadRecords, allowed: "404 not-found", ask: ask("POST", "/disposals/{item}/match", body{"patient_number_kind": "nhs", "patient_number": "9990000018"})},
	"GET /handovers":                     {action: access.ReadRecords, allowed: "200", ask: ask("GET", "/handovers", nil)},
	"POST /handovers":                    {action: access.ProposeHandover, allowed: "422 items-missing", ask: ask("POST", "/handovers", body{"items": []string{}})},
	"GET /handovers/:id":                 {action: access.ReadRecords, allowed: "404 not-found", ask: ask("GET", "/handovers/{item}", nil)},
	"POST /handovers/:id/approve":        {action: access.ApproveHandover, allowed: "404 not-found", ask: ask("POST", "/handovers/{item}/approve", body{})},
	"POST /handovers/:id/end":            {action: access.ProposeHandover, allowed: "404 not-found", ask: ask("POST", "/handovers/{item}/end", body{"reason": "no"})},
	"POST /handovers/:id/confirm":        {action: access.ProposeHandover, allowed: "404 not-found", ask: ask("POST", "/handovers/{item}/confirm", body{"by": "x", "on": "2026-01-01", "reference": "x"})},
	"GET /handovers/:id/package":         {action: access.ProposeHandover, allowed: "404 not-found", ask: ask("GET", "/handovers/{item}/package", nil)},

	"GET /audit":                    {action: access.ReadAudit, allowed: "200", ask: ask("GET", "/audit?limit=1", nil)},
	"GET /audit/answers":            {action: access.ReadAudit, allowed: "200", ask: ask("GET", "/audit/answers?patient={patient}&limit=1", nil)},
	"GET /audit/export":             {action: access.ReadAudit, allowed: "403 step-up-needed", ask: ask("GET", "/audit/export?format=csv&patient={patient}", nil)},
	"GET /audit/checkpoint":         {action: access.ReadAudit, allowed: "404 no-checkpoint", ask: ask("GET", "/audit/checkpoint", nil)},
	"GET /audit/events/:seq/proof":  {action: access.ReadAudit, allowed: "404 no-checkpoint", ask: ask("GET", "/audit/events/1/proof", nil)},
	"GET /audit/consistency":        {action: access.ReadAudit, allowed: "404 no-checkpoint", ask: ask("GET", "/audit/consistency?from=1", nil)},
	"POST /audit/patients/find":     {action: access.TellPatient, allowed: "200", ask: ask("POST", "/audit/patients/find", body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"})},
	"GET /audit/patients/:id/looks": {action: access.TellPatient, allowed: "200", ask: ask("GET", "/audit/patients/{patient}/looks", nil)},
}

// want is what the decision table makes of a route.
func (g guard) want(role access.Role, rel access.Relation) string {
	if g.any {
		rel = ^access.Relation(0)
	}
	if g.action == access.ShowOpened && rel != access.Referred {
		rel = 0 // who is not referred has no grant of their own
	}
	who := access.Principal{Person: access.Person{ID: "p", Role: role}}
	switch access.Decide(who, g.action, rel) {
	case access.Allow:
		return g.allowed
	case access.DenyRelation:
		if g.hidden != "" {
			return g.hidden
		}
		return "404 not-found"
	}
	return "403 not-allowed"
}

// session opens a session without a password, since this test needs hundreds.
func (h *house) session(name string) *person {
	h.t.Helper()
	secret, hash := token.Mint(token.Session)
	who := access.Principal{Person: access.Person{ID: h.ids[name]}, Session: access.NewSessionID()}
	s := meta.Session{ID: who.Session, Hash: hash, Person: h.ids[name], Kind: meta.KindSession, For: time.Hour, IdleFor: time.Hour}
	if err := h.sys.Store.SignInSucceeded(h.t.Context(), s.Person, s, audit.NewEvent(audit.SignedIn, who, audit.Subject{})); err != nil {
		h.t.Fatalf("a session for %s: %v", name, err)
	}
	return &person{h: h, cookie: &http.Cookie{Name: "__Host-wardseal", Value: secret.Reveal()}}
}

// relations are the ways to stand to an item, each alone; the last is in none.
var relations = []access.Relation{access.Uploader, access.SameTeam, access.Referred, access.Asked, access.Emergency, 0}

// Every route, asked by every role in every relation to an item, answers as the
// decision table says, and each refusal is an event. A new route fails here
// until it has a guard.
func TestEveryRouteRoleAndRelation(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	routes := map[string]bool{}
	for _, r := range h.api.Routes() {
		route := r.Method + " " + strings.TrimPrefix(r.Path, "/api/v1")
		routes[route] = true
		switch _, guarded := guards[route]; {
		case strings.HasPrefix(r.Path, "/assets/"), r.Path == "/l", r.Path == "/invited", r.Path == "/password" && r.Method != "POST", r.Path == "/worker.js", r.Path == "/manifest.webmanifest", r.Path == "/shell":
			h.samePage(r.Method, r.Path)
		case !strings.HasPrefix(r.Path, "/api/"): // a page: see TestEveryPageIsGuarded and TestPagesKeepToTheTable
		case unguarded[r.Method+" "+r.Path], visitorRoutes[r.Method+" "+r.Path]: // see TestEveryRouteRefusesVisitors
		case !guarded:
			t.Errorf("%s has no guard in this test: say which action of the decision table it is", route)
		default:
			id := "0190a5e6-0000-7000-8000-000000000000"
			path := strings.NewReplacer(":id", id, ":person", id, ":rendition", "original-clean", ":name", "none", ":seq", "1", ":event", id).Replace(r.Path)
			if a := h.nobody().send(r.Method, path, nil); a.status != http.StatusUnauthorized {
				t.Errorf("nobody at %s: %d", route, a.status)
			}
		}
	}
	for route := range guards {
		if !routes[route] {
			t.Errorf("%s is guarded in this test, and is no route", route)
		}
	}
	for _, role := range access.Roles() {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			h := open(t, "sqlite+filesystem", nil)
			for _, rel := range relations {
				h.walk(role, rel)
			}
		})
	}
}

// samePage checks a route of the pages, which call the same flows as the API:
// to nobody it is either what everybody gets, or the way to the sign-in.
func (h *house) samePage(method, path string) {
	h.t.Helper()
	id := "0190a5e6-0000-7000-8000-000000000000"
	path = strings.NewReplacer(":id", id, ":rendition", "original-clean", "*file", "x", "*path", "x", ":file", "x", ":name", "x").Replace(path)
	look := func(cookie *http.Cookie) (int, string) {
		r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, nil)
		if err != nil {
			h.t.Fatal(err)
		}
		if cookie != nil {
			r.AddCookie(cookie)
		}
		resp, err := http.DefaultTransport.RoundTrip(r) // redirects are not followed
		if err != nil {
			h.t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			h.t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	status, nobody := look(nil)
	if status >= 300 {
		return
	}
	if _, nurse := look(h.session("nurse").cookie); method != "GET" && method != "HEAD" || nobody != nurse {
		h.t.Errorf("%s %s: nobody gets %d, and not what everybody gets", method, path, status)
	}
}

// walk asks every route as a new person of the role, who stands in the relation
// rel, and in no other, to an item.
func (h *house) walk(role access.Role, rel access.Relation) {
	h.t.Helper()
	h.asks(h.stand(role, rel), "", func(guard) bool { return true })
}

// standing is a person of a role, who stands in one relation to an item.
type standing struct {
	name     string
	role     access.Role
	rel      access.Relation
	item     api.Item
	question api.Referral // about it
	picture  []byte
}

// stand has a new person stand in the relation rel, and in no other, to a new
// item, whose details are changed as told.
func (h *house) stand(role access.Role, rel access.Relation, change ...string) standing {
	h.t.Helper()
	t, ctx := h.t, h.t.Context()
	s := standing{name: fmt.Sprintf("%s.%d", role, rel), role: role, rel: rel}
	id, admin := h.hire(s.name, access.Clinician), access.Principal{Person: access.Person{ID: h.ids["admin"], Role: access.Administrator}}
	join := func() {
		if err := h.sys.Staff.Join(ctx, admin, h.team, id); err != nil {
			t.Fatal(err)
		}
	}
	s.picture = append(phone(t), s.name...) // a file of its own
	uploader := "nurse"
	if rel == access.Uploader {
		uploader = s.name
		join()
	}
	details := h.details()
	for i := 0; i < len(change); i += 2 {
		details[change[i]] = change[i+1]
	}
	var f api.Filing
	h.session(uploader).upload(s.picture, details).into(t, &f)
	s.item = f.Item
	asked := h.ids["consultant"]
	if rel == access.Asked {
		asked = id
	}
	h.session(uploader).must("POST", "/referrals", http.StatusCreated, body{"items": []any{f.Item.ID}, "audience": body{"kind": "person", "id": asked}, "question": "Is this infected?"}).into(t, &s.question)
	if rel == access.Uploader {
		if err := h.sys.Staff.Leave(ctx, admin, h.team, id); err != nil {
			t.Fatal(err)
		}
	}
	if rel == access.SameTeam {
		join()
	}
	if rel == access.Emergency {
		h.session(s.name).must("POST", "/emergencies", http.StatusCreated, body{"patient": f.Item.Patient, "reason": "bleeding"})
	}
	if err := h.sys.Staff.Change(ctx, admin, id, "Example", role); err != nil {
		t.Fatal(err)
	}
	return s
}

// fixture is somebody's next request, in a session of its own.
func (h *house) fixture(s standing) *fixture {
	return &fixture{person: h.session(s.name), item: string(s.item.ID), patient: string(s.item.Patient), other: string(h.ids["outsider"]), picture: s.picture, referral: string(s.question.ID), rel: s.rel}
}

// audience is whom a link is for that makes somebody stand as they do.
func (h *house) audience(s standing) access.PersonID {
	if s.rel == access.Referred {
		return h.ids[s.name]
	}
	return h.ids["consultant"]
}

// asks asks the routes that are chosen; when says in which state the item is.
func (h *house) asks(s standing, when string, chosen func(guard) bool) {
	h.t.Helper()
	admin := access.Principal{Person: access.Person{ID: h.ids["admin"], Role: access.Administrator}}
	for route, g := range guards {
		if !chosen(g) {
			continue
		}
		fx := h.fixture(s)
		if s.rel == access.Referred || strings.Contains(route, "link") || strings.Contains(route, "grant") {
			fx.secret, fx.link = h.linkTo(fx.item, h.audience(s))
		}
		if route == "DELETE /teams/:id/members/:person" { // so that there is somebody to take out
			_ = h.sys.Staff.Join(h.t.Context(), admin, h.team, h.ids["outsider"])
		}
		before := h.lastEvent()
		a := g.ask(fx)
		got := fmt.Sprint(a.status)
		if code := a.code(); code != "" {
			got += " " + code
		}
		want := g.want(s.role, s.rel)
		if strings.HasPrefix(route, "HEAD ") { // it has no body to say why
			want, _, _ = strings.Cut(want, " ")
		}
		if got != want {
			h.t.Errorf("%s by a %s who is %s%s: %s, want %s", route, s.role, s.rel, when, got, want)
		}
		if a.status >= 400 && h.lastEvent() == before && want != g.allowed {
			h.t.Errorf("%s by a %s who is %s%s: the refusal is not recorded", route, s.role, s.rel, when)
		}
	}
}

// linkTo makes a link for a person, of two uses.
func (h *house) linkTo(item string, to access.PersonID) (secret, id string) {
	h.t.Helper()
	var l api.Link
	h.session("nurse").must("POST", "/items/"+item+"/links", http.StatusCreated, body{"audience": body{"kind": "person", "id": to}, "purpose": "advice", "uses": 2, "ttl_seconds": 3600}).into(h.t, &l)
	_, secret, _ = strings.Cut(l.URL, "#")
	return secret, string(l.ID)
}

// lastEvent is the number of the newest audit event.
func (h *house) lastEvent() int64 {
	h.t.Helper()
	newest, err := h.sys.Store.Events(h.t.Context(), meta.EventFilter{Limit: 1})
	if err != nil || len(newest) != 1 {
		h.t.Fatalf("%d events, %v", len(newest), err)
	}
	return newest[0].Seq
}
