package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/transfer"
)

// pushKey gives the key that browsers subscribe with; it is empty when this
// deployment tells none.
func (s *Server) pushKey(c *gin.Context) {
	key, err := s.Pushes.Key(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"key": key})
}

// subscribe takes what a browser's PushSubscription says of itself.
func (s *Server) subscribe(c *gin.Context) {
	var in transfer.Browser
	if s.read(c, &in) {
		s.done(c, s.Pushes.Subscribe(c.Request.Context(), principal(c), in))
	}
}

func (s *Server) unsubscribe(c *gin.Context) {
	var in struct {
		Endpoint string `json:"endpoint"`
	}
	if s.read(c, &in) {
		s.done(c, s.Pushes.Unsubscribe(c.Request.Context(), principal(c), in.Endpoint))
	}
}
