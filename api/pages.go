package api

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/internal/transfer"
)

// pages serves what people see. The pages call the same flows as the JSON API
// and decide nothing either.
func (s *Server) pages(e *gin.Engine) {
	for _, a := range append(ui.Assets(), s.cfg.Languages.Assets()...) {
		e.GET(a.Path, serveAsset(a))
		e.HEAD(a.Path, serveAsset(a))
	}
	s.app(e)
	open := e.Group("", pageHeaders, ownForm)
	open.POST("/language", s.languageForm)
	open.GET("/sign-in", s.signInPage)
	open.POST("/sign-in", s.guessing, s.signInForm)
	open.POST("/sign-in/second", s.guessing, s.secondForm)
	open.GET("/sign-in/with/:provider", s.awayPage)
	open.GET("/sign-in/with/:provider/callback", s.backPage)
	e.POST("/sign-in/with/:provider/logout", s.endedElsewhere)
	// The address of a link is the same page for everybody: a robot that
	// previews a link learns nothing and uses nothing up.
	open.GET("/l", s.linkPage)
	open.HEAD("/l", s.linkPage)
	open.GET(signin.TicketPath, s.ticketPage) // likewise
	open.HEAD(signin.TicketPath, s.ticketPage)
	open.POST(signin.TicketPath, s.guessing, s.ticketForm)
	open.GET("/invited", s.invitedPage) // likewise
	open.HEAD("/invited", s.invitedPage)
	guest := open.Group("/invited", s.visitingPage)
	guest.GET("/pictures", s.visitPage)
	guest.GET("/pictures/:id", s.visitItemPage)
	guest.POST("/leave", s.leaveForm)

	p := open.Group("", s.signedInPage, s.guided)
	p.GET("/guidance", s.guidancePage)
	p.POST("/guidance", s.guidanceForm)
	p.GET("/report", s.reportPage)
	p.POST("/report", s.reportForm)
	p.GET("/review", s.reviewPage)
	p.POST("/review/incidents/:id", s.closeForm)
	p.POST("/review/emergencies/:id", s.findingForm)
	p.GET("/incidents/new", s.newIncidentPage)
	p.POST("/incidents/new", s.newIncidentForm)
	p.GET("/incidents/:id", s.incidentPage)
	p.GET("/incidents/:id/contain", s.containPage)
	p.POST("/incidents/:id/contain", s.containForm)
	p.POST("/incidents/:id/aware", s.awareForm)
	p.POST("/incidents/:id/decision", s.decideForm(oversight.DecisionEntry))
	p.POST("/incidents/:id/people", s.decideForm(oversight.PeopleEntry))
	p.POST("/incidents/:id/close", s.lessonsForm)
	p.GET("/incidents/:id/report", s.incidentReportPage)
	p.POST("/incidents/:id/report", s.draftForm)
	p.GET("/incidents/:id/report.txt", s.plainReportPage)
	p.POST("/emergencies", s.emergencyForm)
	p.POST("/emergencies/:id/end", s.emergencyEndForm)
	p.GET("/", s.homePage)
	p.POST("/sign-out", s.signOutForm)
	p.GET("/account", s.accountPage)
	p.GET("/account/password", s.firstPage)
	p.POST("/account/password", s.guessing, s.passwordForm)
	p.POST("/account/email", s.emailForm)
	p.POST("/account/sessions/:id/end", s.endSessionForm)
	p.POST("/account/identities/:provider", s.linkIdentityForm)
	p.POST("/account/identities/:provider/remove", s.unlinkIdentityForm)
	p.GET("/account/tokens", s.tokensPage)
	p.POST("/account/tokens", s.tokenForm)
	p.GET("/account/second-step", s.factorsPage)
	p.POST("/account/second-step/app", s.appForm)
	p.POST("/account/second-step/app/confirm", s.appConfirmForm)
	p.POST("/account/second-step/passkey", s.passkeyForm)
	p.POST("/account/second-step/passkey/confirm", s.passkeyConfirmForm)
	p.POST("/account/second-step/codes", s.newCodesForm)
	p.POST("/account/second-step/:id/remove", s.removeFactorForm)
	p.GET("/step-up", s.stepUpPage)
	p.POST("/step-up", s.guessing, s.stepUpForm)
	p.GET("/step-up/elsewhere", s.awayStepUpPage)

	p.GET("/send", s.sendPage)
	p.POST("/send", s.uploading, s.sendForm)
	p.POST("/send/patient", s.patientForm)
	p.POST("/send/register", s.registerForm)
	p.POST("/send/case", s.caseForm)
	p.GET("/queue", s.queuePage)
	p.GET("/pictures", s.picturesPage)
	p.POST("/pictures/find", s.findForm)
	p.GET("/pictures/:id", s.itemPage)
	p.GET("/pictures/:id/thumbnail", s.thumbnail)
	p.POST("/pictures/:id/links", s.linkForm)
	p.POST("/pictures/:id/ask", s.askForm)
	p.GET("/ask", s.askPage)
	p.POST("/ask", s.askManyForm)
	p.GET("/inbox", s.inboxPage)
	p.GET("/referrals/:id", s.referralPage)
	p.POST("/referrals/:id", s.writeForm)
	p.GET("/cases/:id", s.casePage)
	p.GET("/patients/:id", s.patientPage)
	p.GET("/compare", s.comparePage)
	p.GET("/links", s.linksPage)
	p.POST("/links/:id/revoke", s.revokeForm)
	p.POST("/links/revoke", s.revokeToForm)
	p.GET("/opened/:id", s.openedPage)
	p.GET("/invite", s.invitePage)
	p.POST("/invite", s.inviteForm)
	p.GET("/invitations", s.invitationsPage)
	p.POST("/invitations/:id", s.revokeInvitationForm)

	s.recordsPages(p)
	p.GET("/audit", s.auditPage)
	p.GET("/audit/export", s.exportAuditPage)
	p.GET("/reports", s.reportsPage)
	p.GET("/reports/:name", s.reportCSVPage)
	p.GET("/audit/seen", s.answerPage)
	p.POST("/audit/links", s.linkAuditForm)
	p.GET("/audit/patients", s.tellPage)
	p.POST("/audit/patients", s.tellForm)
	p.GET("/audit/patients/:id", s.looksPage)
	p.GET("/status", s.statusPage)
	p.GET("/staff", s.staffPage)
	p.GET("/staff/sign-in", s.settingsPage)
	p.POST("/staff/people", s.addPersonForm)
	p.POST("/staff/people/:id", s.changePersonForm)
	p.POST("/staff/people/:id/ticket", s.makeTicketForm)
	p.POST("/staff/teams", s.addTeamForm)
	p.POST("/staff/members", s.memberForm)
}

// recordsPages are those of the records team.
func (s *Server) recordsPages(p *gin.RouterGroup) {
	p.GET("/records", s.recordsPage)
	p.POST("/records/find", s.findRecordForm)
	p.POST("/records/import", s.importForm)
	p.POST("/records/teams", s.teamClassForm)
	p.GET("/records/:id", s.recordPage)
	p.POST("/records/:id/events", s.recordForm("event", s.eventForm))
	p.POST("/records/:id/events/:event/cancel", s.recordForm("cancel", s.cancelEventForm))
	p.POST("/records/:id/class", s.recordForm("class", s.classForm))
	p.POST("/records/:id/merge", s.mergeForm)
	p.POST("/records/:id/merges/:merge/undo", s.undoMergeForm)
	p.GET("/records/:id/items/:item", s.keptItemPage)
	p.POST("/records/:id/items/:item/class", s.keptForm("class", s.itemClassForm))
	p.POST("/records/:id/items/:item/consent", s.keptForm("consent", s.endConsentForm))
	p.POST("/records/:id/items/:item/move", s.moveForm)
	p.POST("/records/:id/items/:item/end", s.endForm)
	p.GET("/schedule", s.schedulePage)
	p.POST("/schedule/confirm", s.confirmRuleForm)
	p.POST("/schedule/simulate", s.simulateForm)
	p.POST("/schedule/apply", s.applyScheduleForm)
	p.GET("/holds", s.holdsPage)
	p.POST("/holds", s.placeHoldForm)
	p.GET("/holds/new", s.newHoldPage)
	p.POST("/holds/new", s.lookHoldForm)
	p.POST("/holds/:id/release", s.releaseHoldForm)
	p.GET("/due", s.duePage)
	p.POST("/due", s.decideDueForm)
	p.GET("/disposals", s.disposalsPage)
	p.GET("/disposals/:id", s.disposalPage)
	p.POST("/disposals/:id/approve", s.batchForm("approved", s.approveDisposal))
	p.POST("/disposals/:id/refuse", s.batchForm("refused", s.refuseDisposal))
	p.POST("/disposals/:id/undo", s.batchForm("undone", s.undoDisposal))
	p.POST("/disposals/:id/match", s.matchForm)
	p.GET("/handovers", s.handoversPage)
	p.POST("/handovers", s.proposeHandoverForm)
	p.GET("/handovers/:id", s.handoverPage)
	p.POST("/handovers/:id/approve", s.handoverForm("approved", "approved_reason", s.Handover.Approve))
	p.POST("/handovers/:id/end", s.handoverForm("ended", "undone_reason", s.Handover.End))
	p.POST("/handovers/:id/confirm", s.confirmHandoverForm)
	p.GET("/handovers/:id/package", s.handoverPackage(failPage))
}

func serveAsset(a ui.Asset) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Cache-Control", "public, max-age=31536000, immutable") // the address has a hash of it
		if a.Policy != "" {
			c.Header("Content-Security-Policy", a.Policy)
		}
		c.Data(http.StatusOK, a.MediaType, a.Body)
	}
}

// pageHeaders lets a form say where it comes from: under "no-referrer"
// browsers send "Origin: null" with it.
func pageHeaders(c *gin.Context) { c.Header("Referrer-Policy", "same-origin") }

// ownForm accepts a form only from a page of this site, and from a client that
// says so. Every browser since 2020 does; programs use the JSON API. Together
// with a SameSite cookie this needs no token in the forms.
func ownForm(c *gin.Context) {
	if c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
		return
	}
	site, origin := c.GetHeader("Sec-Fetch-Site"), c.GetHeader("Origin")
	from, err := url.Parse(origin)
	if site == "same-origin" || site == "" && err == nil && from.Host != "" && from.Host == c.Request.Host {
		return
	}
	failPage(c, fault.New(fault.Denied, "cross-site", "This form came from another site and was refused. Open Wardseal itself and try again."))
}

// signedInPage resolves who asks, as signedIn does, and sends nobody to the
// sign-in page, which brings them back to where they were going.
func (s *Server) signedInPage(c *gin.Context) {
	secret, err := c.Cookie(cookieName)
	if err != nil && c.Request.Method == http.MethodGet && c.GetHeader("Sec-Fetch-Site") == "cross-site" {
		// A strict cookie does not come along from another site's link. The
		// page asks again, and then from here.
		render(c, http.StatusOK, "again", ui.Page{Title: "One moment", Data: c.Request.URL.RequestURI()})
		c.Abort()
		return
	}
	who, _, err := s.Door.Recognise(c.Request.Context(), secret, requestID(c))
	if err != nil {
		failPage(c, err)
		return
	}
	c.Set(keyPrincipal, who)
	if who.FirstPassword && c.FullPath() != "/account/password" && c.FullPath() != "/sign-out" && !byScript(c) {
		c.Redirect(http.StatusSeeOther, "/account/password")
		c.Abort()
		return
	}
	if who.NoFactor && !openWithoutFactor(c.FullPath()) && !byScript(c) {
		c.Redirect(http.StatusSeeOther, "/account/second-step")
		c.Abort()
		return
	}
	if c.Request.Method == http.MethodGet && !byScript(c) {
		if err := s.waiting(c, who); err != nil {
			failPage(c, err)
		}
	}
}

// Where a request keeps what every page shows of what goes on: how much waits
// at which page, and one's emergency accesses.
const (
	keyWaiting     = "waiting"
	keyEmergencies = "emergencies"
	keyIdle        = "idle"
)

func (s *Server) waiting(c *gin.Context, who access.Principal) error {
	ctx := c.Request.Context()
	waiting, more, err := s.Referrals.Counts(ctx, who)
	if err != nil {
		return err
	}
	review, err := s.Oversight.ToReview(ctx, who)
	if err != nil {
		return err
	}
	emergencies, err := s.Oversight.Live(ctx, who)
	if err != nil {
		return err
	}
	due, proposed, err := s.Disposal.Waiting(ctx, who)
	if err != nil {
		return err
	}
	c.Set(keyWaiting, map[string]int{"/inbox": waiting + more, "/review": review, "/due": due, "/disposals": proposed})
	c.Set(keyEmergencies, emergencies)
	c.Set(keyIdle, int(s.cfg.IdleFor/time.Second))
	return nil
}

// render answers with a page.
func render(c *gin.Context, status int, name string, p ui.Page) {
	p.Language, p.Address = languageOf(c), here(c)
	who := principal(c)
	if who.SignedIn() {
		p.Person, p.ID, p.Nav = who.Person.Name, string(who.Person.ID), places(who, c.Request.URL.Path)
		p.IdleSeconds = c.GetInt(keyIdle)
		waiting, _ := c.Get(keyWaiting)
		counts, _ := waiting.(map[string]int)
		for i := range p.Nav {
			p.Nav[i].Count = counts[p.Nav[i].Path]
		}
		for _, e := range emergencies(c) {
			p.Emergencies = append(p.Emergencies, ui.Emergency{ID: string(e.ID), Patient: string(e.Patient), Until: e.ExpiresAt})
		}
	}
	var b bytes.Buffer
	if err := ui.Render(&b, name, p); err != nil {
		slog.ErrorContext(c.Request.Context(), "page", "request", requestID(c), "page", name, "error", err)
		c.String(http.StatusInternalServerError, "Something went wrong on our side. Please try again.")
		c.Abort()
		return
	}
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
}

// emergencies are the emergency accesses that who asks has now.
func emergencies(c *gin.Context) []oversight.Emergency {
	live, _ := c.Get(keyEmergencies)
	out, _ := live.([]oversight.Emergency)
	return out
}

// local gives a path of this site, or "/" for anything else: a sign-in must
// not send people elsewhere.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) || u.Path == "/sign-in" {
		return "/"
	}
	return next
}

// maxForm bounds a form without a file.
const maxForm = 64 << 10

// fields reads a form without a file.
func fields(c *gin.Context) (url.Values, bool) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxForm)
	err := c.Request.ParseForm()
	if err == nil {
		if name, found := illegibleValue(c.Request.PostForm); found {
			failPage(c, transfer.ErrIllegible.In(name))
			return nil, false
		}
		return c.Request.PostForm, true
	}
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		failPage(c, fault.New(fault.TooLarge, "form-too-large", "This form is longer than can be kept. Shorten it and send it again.").With(err))
		return nil, false
	}
	failPage(c, fault.New(fault.Invalid, "form-wrong", "This form did not arrive whole. Go back and send it again.").With(err))
	return nil, false
}
