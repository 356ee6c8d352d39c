package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// Annotation is one version of what somebody drew and wrote over a picture.
type Annotation struct {
	ID         media.AnnotationID `json:"id"`
	Item       media.ItemID       `json:"item"`
	Series     media.AnnotationID `json:"series"`
	Version    int                `json:"version"`
	Author     access.PersonID    `json:"author"`
	AuthorName words.Text         `json:"author_name"`
	Mine       bool               `json:"mine"`
	CreatedAt  *time.Time         `json:"created_at"`
	RemovedAt  *time.Time         `json:"removed_at,omitempty"`
	Marks      media.Marks        `json:"marks"`
}

// annotations gives sets with the names of who made them.
func (s *Server) annotations(c *gin.Context, views []transfer.AnnotationView) ([]Annotation, error) {
	people, err := s.colleagues(c)
	if err != nil {
		return nil, err
	}
	out := make([]Annotation, 0, len(views))
	for _, v := range views {
		out = append(out, Annotation{v.ID, v.Item, v.Series, v.Version, v.Author, personName(people, v.Author), v.Author == principal(c).Person.ID, at(v.CreatedAt), at(v.RemovedAt), v.Marks})
	}
	return out, nil
}

func (s *Server) listAnnotations(c *gin.Context) {
	views, err := s.Marks.Of(c.Request.Context(), principal(c), media.ItemID(c.Param("id")), c.Query("history") == "true")
	s.giveAnnotations(c, views, err)
}

func (s *Server) openedAnnotations(c *gin.Context) {
	views, err := s.Marks.Opened(c.Request.Context(), principal(c), link.GrantID(c.Param("id")))
	s.giveAnnotations(c, views, err)
}

func (s *Server) giveAnnotations(c *gin.Context, views []transfer.AnnotationView, err error) {
	var out []Annotation
	if err == nil {
		out, err = s.annotations(c, views)
	}
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"annotations": out})
}

func (s *Server) annotate(c *gin.Context) {
	var in struct {
		Replaces media.AnnotationID `json:"replaces"`
		Marks    json.RawMessage    `json:"marks"`
	}
	if !s.read(c, &in) {
		return
	}
	v, err := s.Marks.Add(c.Request.Context(), principal(c), media.ItemID(c.Param("id")), in.Replaces, in.Marks)
	var out []Annotation
	if err == nil {
		out, err = s.annotations(c, []transfer.AnnotationView{v})
	}
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, out[0])
}

func (s *Server) removeAnnotation(c *gin.Context) {
	s.done(c, s.Marks.Remove(c.Request.Context(), principal(c), media.AnnotationID(c.Param("id"))))
}
