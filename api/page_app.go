package api

import (
	"bytes"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// app serves what makes the pages an app that opens without a signal. It is
// the same for everybody and holds no data.
func (s *Server) app(e *gin.Engine) {
	shell := s.shell(nil)
	worker, manifest := ui.Worker(shell, s.cfg.Languages.Assets()), ui.Manifest()
	e.GET("/worker.js", func(c *gin.Context) { c.Data(http.StatusOK, "text/javascript; charset=utf-8", worker) })
	e.GET("/manifest.webmanifest", func(c *gin.Context) { c.Data(http.StatusOK, "application/manifest+json", manifest) })
	e.GET("/shell", pageHeaders, func(c *gin.Context) { c.Data(http.StatusOK, "text/html; charset=utf-8", s.shell(languageOf(c))) })
}

// shell is the form to send a picture as nobody sees it: what the phone keeps
// for when there is no signal. Its script fills in the teams that the phone
// remembers.
func (s *Server) shell(l *ui.Language) []byte {
	team, _ := words.Text("Your team").In(l)
	v := sendView{Typed: map[string]string{"patient_number_kind": "nhs"}, Teams: []Team{{Name: team}}, Accept: accepted, MaxBytes: s.cfg.MaxBytes}
	var b bytes.Buffer
	err := ui.Render(&b, "send", ui.Page{Title: "Send a picture", Wide: true, Shell: true, Language: l, Address: "/", Data: v,
		Notice: "There is no signal just now. You can go on: what you send is kept on this phone, encrypted, and goes by itself when the signal is back."})
	if err != nil {
		panic(err) // a template of ours, with data of ours
	}
	return b.Bytes()
}

func (s *Server) queuePage(c *gin.Context) {
	if access.May(principal(c), access.UploadItem) != access.Allow {
		failPage(c, fault.New(fault.Denied, "not-allowed", "Your role does not send pictures."))
		return
	}
	render(c, http.StatusOK, "queue", ui.Page{Title: "Waiting to be sent"})
}
