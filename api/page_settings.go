package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/signin"
)

// setting is one line of the page of settings: what, as it is, and the name of
// what sets it; empty where nothing does.
type setting struct{ What, Is, Name string }

// settingsView is how people sign in here.
type settingsView struct {
	Groups []settingGroup
	Roles  []signin.RoleSettings
	Places []signin.PlaceSettings
}

type settingGroup struct {
	Title    string
	Settings []setting
}

// settingsPage shows how people sign in, and which setting says so. It changes
// nothing: who may administer people does not thereby decide how safe it is.
func (s *Server) settingsPage(c *gin.Context) {
	in, err := s.Tickets.Settings(c.Request.Context(), principal(c), s.Providers)
	if err != nil {
		if fault.From(err).Code == "not-allowed" {
			err = fault.New(fault.Denied, "not-allowed", "Your role does not manage people and teams.")
		}
		failPage(c, err)
		return
	}
	yes := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	v := settingsView{Roles: in.Roles, Places: in.Places, Groups: []settingGroup{
		{"Passwords", []setting{
			{"Length", fmt.Sprintf("At least %d characters, at most %d bytes; no rules of composition", signin.MinPassword, signin.MaxPassword), ""},
			{"Guessed early", "Common passwords, words, names and patterns are refused", ""},
			{"Words known here", yes(len(in.Words) > 0, "A password must be more than: "+strings.Join(in.Words, ", ")+", and the words of this service", "The words of this service alone"), "--organisation, --passwords-words"},
			{"Seen in breaches", yes(in.Breached, "Refused, by a list on this server", "Not compared with any list"), "--passwords-breached-file"},
			{"Address to choose one", "Good once, for " + lasting(in.TicketFor) + yes(in.Mailed, "; goes by mail where there is an address", "; shown to be handed over, since no mail is sent"), "--password-ticket-for"},
			{"First password", "One that an administrator chose is good for " + lasting(in.FirstFor) + ", and for choosing another", "--first-password-for"},
		}},
		{"Wrong tries", []setting{
			{"Lock", fmt.Sprintf("After %d wrong tries in a row, for %s", in.LockAfter, lasting(in.LockFor)), "--lock-after, --lock-for"},
			{"From one network", fmt.Sprintf("%d wrong tries at once, then %d a minute", wrongByAddress, wrongByAddressAMinute), ""},
			{"By one person", fmt.Sprintf("%d wrong tries at once, then %d a minute", wrongByAccount, wrongByAccountAMinute), ""},
		}},
		{"Sessions", []setting{
			{"Ends after sign-in", lasting(in.SessionFor), "--session-for"},
			{"Ends without use", lasting(in.IdleFor), "--idle-for"},
			{"Proof that it is still you", "Good for " + lasting(signin.SteppedUpFor), ""},
			{"Second step", "Within " + lasting(signin.SecondHalfFor) + " of the password", ""},
			{"API tokens", "At most " + lasting(signin.MaxTokenFor), ""},
		}},
	}}
	render(c, http.StatusOK, "settings", ui.Page{Title: "How people sign in", Wide: true, Data: v})
}
