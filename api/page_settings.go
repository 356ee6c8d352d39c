package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/internal/words"
)

// setting is one line of the page of settings: what, as it is, and the name of
// what sets it; empty where nothing does.
type setting struct {
	What, Is words.Text
	Name     string
}

// settingsView is how people sign in here.
type settingsView struct {
	Groups []settingGroup
	Roles  []signin.RoleSettings
	Places []signin.PlaceSettings
}

type settingGroup struct {
	Title    words.Text
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
	yes := func(b bool, yes, no words.Text) words.Text {
		if b {
			return yes
		}
		return no
	}
	v := settingsView{Roles: in.Roles, Places: in.Places, Groups: []settingGroup{
		{"Passwords", []setting{
			{"Length", words.Say("At least {n} characters, at most {most} bytes; no rules of composition", signin.MinPassword, signin.MaxPassword), ""},
			{"Guessed early", "Common passwords, words, names and patterns are refused", ""},
			{"Words known here", yes(len(in.Words) > 0, words.Say("A password must be more than: {words}, and the words of this service", strings.Join(in.Words, ", ")), "The words of this service alone"), "--organisation, --passwords-words"},
			{"Seen in breaches", yes(in.Breached, "Refused, by a list on this server", "Not compared with any list"), "--passwords-breached-file"},
			{"Address to choose one", words.Say(yes(in.Mailed, "Good once, for {time}; goes by mail where there is an address", "Good once, for {time}; shown to be handed over, since no mail is sent"), lasting(in.TicketFor)), "--password-ticket-for"},
			{"First password", words.Say("One that an administrator chose is good for {time}, and for choosing another", lasting(in.FirstFor)), "--first-password-for"},
		}},
		{"Wrong tries", []setting{
			{"Lock", words.Say("After {n} wrong tries in a row, for {time}", in.LockAfter, lasting(in.LockFor)), "--lock-after, --lock-for"},
			{"From one network", words.Say("{n} wrong tries at once, then {more} a minute", wrongByAddress, wrongByAddressAMinute), ""},
			{"By one person", words.Say("{n} wrong tries at once, then {more} a minute", wrongByAccount, wrongByAccountAMinute), ""},
		}},
		{"Sessions", []setting{
			{"Ends after sign-in", lasting(in.SessionFor), "--session-for"},
			{"Ends without use", lasting(in.IdleFor), "--idle-for"},
			{"Proof that it is still you", words.Say("Good for {time}", lasting(signin.SteppedUpFor)), ""},
			{"Second step", words.Say("Within {time} of the password", lasting(signin.SecondHalfFor)), ""},
			{"API tokens", words.Say("At most {time}", lasting(signin.MaxTokenFor)), ""},
		}},
	}}
	render(c, http.StatusOK, "settings", ui.Page{Title: "How people sign in", Wide: true, Data: v})
}
