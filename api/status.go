package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/words"
)

// Part is how one part of the deployment is.
type Part struct {
	Name words.Text `json:"name"`
	OK   bool       `json:"ok"`
	Says words.Text `json:"says"`
}

func (s *Server) showStatus(c *gin.Context) {
	if err := s.Staff.Watch(c.Request.Context(), principal(c)); err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"parts": s.cfg.Status(c.Request.Context())})
}

func (s *Server) statusPage(c *gin.Context) {
	if err := s.Staff.Watch(c.Request.Context(), principal(c)); err != nil {
		failPage(c, err)
		return
	}
	render(c, http.StatusOK, "status", ui.Page{Title: "This system", Data: s.cfg.Status(c.Request.Context())})
}
