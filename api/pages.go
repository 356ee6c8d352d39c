package api

import (
	"embed"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// The pages are the same bytes for everybody: what a person sees is fetched by
// script from the API, under the person's own session. A link's secret stands
// in the fragment of its address, which browsers never send, so a robot that
// previews a link learns nothing and uses nothing up.
//
//go:embed ui/*.html ui/*.css ui/*.js
var ui embed.FS

// pages serves the pages.
func (s *Server) pages(e *gin.Engine) {
	for path, file := range map[string]string{"/": "home.html", "/l": "link.html", "/style.css": "style.css", "/home.js": "home.js", "/link.js": "link.js", "/session.js": "session.js"} {
		body, err := ui.ReadFile("ui/" + file)
		if err != nil {
			panic(err) // embedded above
		}
		mediaType := map[string]string{"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}[file[strings.LastIndexByte(file, '.')+1:]]
		serve := func(c *gin.Context) { c.Data(http.StatusOK, mediaType, body) }
		e.GET(path, serve)
		e.HEAD(path, serve)
	}
}
