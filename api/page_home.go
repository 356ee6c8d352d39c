package api

import (
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/words"
)

// places are the pages that somebody's role has a use for.
func places(who access.Principal, here string) []ui.Place {
	var out []ui.Place
	for _, p := range []struct {
		path string
		text words.Text
		need access.Action
	}{
		{"/due", "Due for review", access.ProposeDisposal},
		{"/send", "Send a picture", access.UploadItem},
		{"/queue", "Waiting", access.UploadItem},
		{"/inbox", "Questions", access.ListReferrals},
		{"/pictures", "Pictures", access.ListItems},
		{"/links", "My links", access.ListLinks},
		{"/invitations", "Invitations", access.ListInvitations},
		{"/review", "To review", access.HandleIncidents},
		{"/audit", "Audit", access.ReadAudit},
		{"/records", "Records", access.ReadRecords},
		{"/holds", "Holds", access.ReadRecords},
		{"/disposals", "Disposals", access.ReadRecords},
		{"/handovers", "Handovers", access.ReadRecords},
		{"/schedule", "Schedule", access.ReadRecords},
		{"/reports", "Reports", access.ReadReports},
		{"/audit/patients", "Who looked", access.TellPatient},
		{"/staff", "People and teams", access.ManagePeople},
		{"/status", "This system", access.WatchSystem},
	} {
		if p.path == "/audit/patients" && access.May(who, access.ReadAudit) == access.Allow {
			continue // it is one of the questions of the page of the audit
		}
		if p.path == "/invitations" && access.May(who, access.ListLinks) == access.Allow {
			continue // theirs is reached from their links
		}
		if access.May(who, p.need) == access.Allow && (p.need != access.UploadItem || len(who.Teams) > 0) {
			out = append(out, ui.Place{Path: p.path, Text: p.text, Here: here == p.path || strings.HasPrefix(here, p.path+"/") || here == "/" && p.path == homeOf(who)})
		}
	}
	return out
}

// homeOf is where somebody's day starts.
func homeOf(who access.Principal) string {
	switch who.Person.Role {
	case access.Clinician:
		return "/send"
	case access.Consultant:
		return "/inbox"
	case access.RecordsOfficer:
		return "/due"
	case access.Auditor:
		return "/audit"
	case access.Administrator:
		return "/staff"
	}
	return "/pictures"
}

func (s *Server) homePage(c *gin.Context) {
	switch homeOf(principal(c)) {
	case "/send":
		s.sendPage(c)
	case "/inbox":
		s.inboxPage(c)
	case "/due":
		s.duePage(c)
	case "/audit":
		s.auditPage(c)
	case "/staff":
		s.staffPage(c)
	default:
		s.picturesPage(c)
	}
}
