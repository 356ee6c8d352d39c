// Package api is the edge: HTTP in, flows called, HTTP out. It decides nothing
// itself; routes name a flow, and the flow decides, records and acts. It knows
// neither storage nor cryptography nor imaging.
package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/handover"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/internal/transfer"
)

// Flows are what the routes call.
type Flows struct {
	Door      *signin.Door
	Own       *signin.Account
	Staff     *signin.Staff
	Providers *signin.Providers
	Tickets   *signin.Tickets
	Uploads   *transfer.Uploads
	Intake    *transfer.Intake
	Views     *transfer.Views
	Items     *transfer.Items
	Marks     *transfer.Annotations
	Links     *transfer.Links
	Patients  *transfer.Patients
	Account   *transfer.Account
	Looks     *transfer.Looks

	Referrals *transfer.Referrals
	Seen      *transfer.Seen
	Oversight *transfer.Oversight
	Guidance  *signin.Guidance

	Records     *records.Desk
	Disposal    *disposal.Desk
	Handover    *handover.Desk
	Desk        *transfer.Desk
	Reports     *transfer.Reports
	Factors     *signin.Factors
	Invitations *transfer.Invitations
	Guests      *transfer.Guests
	Pushes      *transfer.Pushes
}

// Config is how the edge behaves.
type Config struct {
	PublicURL   string                           // how people reach the server, such as https://wardseal.example; links start with it
	MaxBytes    int64                            // of one uploaded file
	Trusted     []string                         // addresses of proxies whose X-Forwarded-For is believed
	ReadIdleFor time.Duration                    // an upload that sends nothing for this long is cut off; 0 means a minute
	IdleFor     time.Duration                    // a session ends after this long without a request; pages warn before
	Mails       bool                             // this deployment sends mail
	Status      func(ctx context.Context) []Part // for administrators
	Ready       func(ctx context.Context) map[string]error
	Metrics     *Metrics
	Languages   *ui.Languages        // of the pages; nil for those that the program has
	Traces      trace.TracerProvider // what takes a span of each request; nil for none
}

// Server is the HTTP face of the flows. It is safe for concurrent use.
type Server struct {
	Flows
	cfg    Config
	engine *gin.Engine
	tracer trace.Tracer
	paces  paces
}

// New builds the routes.
func New(flows Flows, cfg Config) (*Server, error) {
	if cfg.ReadIdleFor == 0 {
		cfg.ReadIdleFor = time.Minute
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics()
	}
	if cfg.Traces == nil {
		cfg.Traces = noop.NewTracerProvider()
	}
	if cfg.Languages == nil {
		cfg.Languages = ui.Offered()
	}
	gin.SetMode(gin.ReleaseMode)
	s := &Server{Flows: flows, cfg: cfg, engine: gin.New(), tracer: cfg.Traces.Tracer("wardseal"), paces: newPaces()}
	s.engine.HandleMethodNotAllowed = true
	s.engine.RedirectTrailingSlash = false // it goes around all that follows
	if err := s.engine.SetTrustedProxies(cfg.Trusted); err != nil {
		return nil, err
	}
	s.engine.Use(identify, s.traced, s.cfg.Metrics.count, logged, recovered, hardened, s.language, legible)
	s.engine.NoRoute(noRoute)
	s.engine.NoMethod(noMethod)
	s.routes()
	return s, nil
}

// ServeHTTP implements http.Handler. A browser's request from another site
// that would change anything is refused before anything looks at it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// Routes lists every route, for the tests that walk them all.
func (s *Server) Routes() gin.RoutesInfo { return s.engine.Routes() }

func (s *Server) routes() {
	s.pages(s.engine)
	open := s.engine.Group("/api/v1", sameSite)
	open.GET("/openapi.json", openAPI)
	open.POST("/session", s.guessing, s.signIn)
	open.POST("/password", s.guessing, s.useTicket)

	v1 := open.Group("", s.signedIn, known)
	v1.GET("/session", s.whoAmI)
	v1.DELETE("/session", s.signOut)
	v1.PUT("/session/password", s.guessing, s.changePassword)
	v1.POST("/session/step-up", s.guessing, s.stepUp)
	v1.GET("/session/email", s.showEmail)
	v1.PUT("/session/email", s.setEmail)
	v1.GET("/sessions", s.listSessions)
	v1.DELETE("/sessions/:id", s.endSession)
	v1.GET("/session/push", s.pushKey)
	v1.PUT("/session/push", s.subscribe)
	v1.POST("/session/push/end", s.unsubscribe)
	v1.GET("/session/identities", s.listIdentities)
	v1.DELETE("/session/identities/:provider", s.unlinkIdentity)
	v1.GET("/tokens", s.listTokens)
	v1.POST("/tokens", s.mintToken)
	v1.DELETE("/tokens/:id", s.revokeToken)

	v1.GET("/status", s.showStatus)
	v1.GET("/people", s.listPeople)
	v1.POST("/people", s.addPerson)
	v1.PUT("/people/:id", s.changePerson)
	v1.POST("/people/:id/suspend", s.suspend(true))
	v1.POST("/people/:id/restore", s.suspend(false))
	v1.POST("/people/:id/unlock", s.unlock)
	v1.POST("/people/:id/reset-factors", s.resetFactors)
	v1.POST("/people/:id/ticket", s.makeTicket)
	v1.GET("/teams", s.listTeams)
	v1.POST("/teams", s.addTeam)
	v1.PUT("/teams/:id/members/:person", s.joinTeam)
	v1.DELETE("/teams/:id/members/:person", s.leaveTeam)

	v1.POST("/patients", s.registerPatient)
	v1.POST("/patients/find", s.findPatient(s.Patients.Find))
	v1.GET("/patients/:id/cases", s.listCases)
	v1.POST("/patients/:id/cases", s.openCase)

	v1.POST("/items", s.uploading, s.upload)
	v1.GET("/intake", s.intakeTerms)
	resumable := v1.Group("/uploads", tus)
	resumable.OPTIONS("", s.uploadOptions)
	resumable.POST("", s.uploading, s.startUpload)
	resumable.HEAD("/:id", s.uploadState)
	resumable.PATCH("/:id", s.continueUpload)
	resumable.DELETE("/:id", s.removeUpload)
	v1.GET("/uploads/:id/outcome", s.uploadOutcome)

	v1.GET("/items", s.listItems)
	v1.GET("/items/:id", s.describeItem)
	v1.GET("/items/:id/receipt", s.showReceipt)
	v1.GET("/items/:id/renditions/:rendition", s.showItem)
	v1.HEAD("/items/:id/renditions/:rendition", s.showItem)
	v1.POST("/items/:id/links", s.makeLink)
	v1.GET("/items/:id/annotations", s.listAnnotations)
	v1.POST("/items/:id/annotations", s.annotate)
	v1.DELETE("/annotations/:id", s.removeAnnotation)

	v1.GET("/items/:id/seen", s.seenBy)

	v1.POST("/referrals", s.makeReferral)
	v1.GET("/referrals", s.listReferrals)
	v1.GET("/referrals/:id", s.readReferral)
	v1.POST("/referrals/:id/messages", s.writeReferral)

	v1.POST("/incidents", s.reportIncident)
	v1.GET("/incidents", s.listIncidents)
	v1.POST("/incidents/:id/close", s.closeIncident)
	v1.GET("/reports", s.listReports)
	v1.GET("/reports/:name", s.reportCSV)
	v1.GET("/investigations", s.listInvestigations)
	v1.POST("/investigations", s.openInvestigation)
	v1.GET("/investigations/:id", s.showInvestigation)
	v1.POST("/investigations/:id/aware", s.setAware)
	v1.POST("/investigations/:id/contain", s.contain)
	v1.POST("/investigations/:id/decisions", s.decide)
	v1.PUT("/investigations/:id/draft", s.keepDraft)
	v1.GET("/investigations/:id/report", s.plainReport)
	v1.POST("/investigations/:id/close", s.closeInvestigation)
	v1.POST("/emergencies", s.breakGlass)
	v1.GET("/emergencies", s.listEmergencies)
	v1.POST("/emergencies/:id/end", s.endEmergency)
	v1.POST("/emergencies/:id/review", s.reviewEmergency)

	v1.GET("/links", s.listLinks)
	v1.DELETE("/links/:id", s.revokeLink)
	v1.POST("/links/revoke", s.revokeLinksTo)
	v1.POST("/links/visit", s.guessing, s.visitLink)
	v1.POST("/links/open", s.guessing, s.openLink)
	v1.GET("/grants/:id/renditions/:rendition", s.showGrant)
	v1.HEAD("/grants/:id/renditions/:rendition", s.showGrant)
	v1.GET("/grants/:id/annotations", s.openedAnnotations)

	v1.POST("/invitations", s.invite)
	v1.GET("/invitations", s.listInvitations)
	v1.DELETE("/invitations/:id", s.revokeInvitation)
	v1.POST("/invitations/:id/revoke-all", s.revokeInvitations)

	v1.GET("/audit", s.searchAudit)

	v1.POST("/records/find", s.findRecord)
	v1.GET("/records/:id", s.showRecord)
	v1.POST("/records/:id/events", s.addPatientEvent)
	v1.POST("/records/:id/events/:event/cancel", s.cancelPatientEvent)
	v1.POST("/records/:id/merge", s.mergePatient)
	v1.POST("/merges/:id/undo", s.undoMerge)
	v1.POST("/patient-events", s.importEvents)
	v1.POST("/classes", s.classify)
	v1.POST("/items/:id/move", s.moveItem)
	v1.POST("/items/:id/end-consent", s.endConsent)
	v1.GET("/schedule", s.showSchedule)
	v1.POST("/schedule/confirm", s.confirmRule)
	v1.POST("/schedule/simulate", s.simulateSchedule)
	v1.POST("/schedule/apply", s.applySchedule)
	v1.GET("/holds", s.listHolds)
	v1.POST("/holds", s.placeHold)
	v1.POST("/holds/match", s.matchHold)
	v1.POST("/holds/:id/release", s.releaseHold)
	v1.GET("/due", s.listDue)
	v1.POST("/due/keep", s.keepDue)
	v1.GET("/disposals", s.listDisposals)
	v1.POST("/disposals", s.proposeDisposal)
	v1.GET("/disposals/:id", s.showDisposal)
	v1.POST("/disposals/:id/approve", s.decideDisposal(s.approveDisposal))
	v1.POST("/disposals/:id/refuse", s.decideDisposal(s.refuseDisposal))
	v1.POST("/disposals/:id/undo", s.decideDisposal(s.undoDisposal))
	v1.GET("/disposals/:id/certificate", s.showCertificate)
	v1.GET("/disposals/:id/certificate.pdf", s.printCertificate)
	v1.POST("/disposals/:id/match", s.matchCertificate)
	v1.GET("/handovers", s.listHandovers)
	v1.POST("/handovers", s.proposeHandover)
	v1.GET("/handovers/:id", s.showHandover)
	v1.POST("/handovers/:id/approve", s.decideHandover(s.Handover.Approve))
	v1.POST("/handovers/:id/end", s.decideHandover(s.Handover.End))
	v1.POST("/handovers/:id/confirm", s.confirmHandover)
	v1.GET("/handovers/:id/package", s.handoverPackage(fail))
	v1.GET("/audit/answers", s.answerQuestion)
	v1.GET("/audit/export", s.exportAudit)
	v1.GET("/audit/checkpoint", s.latestCheckpoint)
	v1.GET("/audit/events/:seq/proof", s.proveEvent)
	v1.GET("/audit/consistency", s.proveConsistency)
	v1.POST("/audit/patients/find", s.findPatient(s.Looks.Find))
	v1.GET("/audit/patients/:id/looks", s.listLooks)

	// Somebody outside: these know no session of staff, and the others no visit.
	open.POST("/invited/code", s.guessing, s.sendCode)
	open.POST("/invited/open", s.guessing, s.openInvitation)
	guest := open.Group("/invited", s.visiting)
	guest.GET("", s.showInvited)
	guest.DELETE("", s.endVisit)
	guest.GET("/items/:id/renditions/:rendition", s.showInvitedItem)
	guest.HEAD("/items/:id/renditions/:rendition", s.showInvitedItem)
}
