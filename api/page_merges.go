package api

import (
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/words"
)

// mergeRow is a merge as the page of a record shows it.
type mergeRow struct {
	records.MergeView
	Other    Patient
	Here     bool // both numbers find the patient of the page
	By       words.Text
	UndoneBy words.Text
	Stays    []keptItem // came since, and are here
}

// items chooses those of a record that are listed.
func items(ids []media.ItemID, of []keptItem) []keptItem {
	var out []keptItem
	for _, i := range of {
		if slices.Contains(ids, i.ID) {
			out = append(out, i)
		}
	}
	return out
}

// mergeForm makes one patient of two numbers, and goes on with the other.
func (s *Server) mergeForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	typed := typedIn(f)
	to, err := s.Records.Merge(c.Request.Context(), principal(c), media.PatientID(c.Param("id")), typed["patient_number_kind"], typed["patient_number"], dateOfBirth(typed), typed["reason"])
	if err == nil {
		s.redate(c, to)
	}
	went(c, err, "/records/"+string(to)+"?done=merge", func(status int, p *ui.Problem) { s.recordOf(c, status, typed, p) })
}

// undoMergeForm makes two patients of one again.
func (s *Server) undoMergeForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	m, err := s.Records.UndoMerge(c.Request.Context(), principal(c), c.Param("merge"), f.Get("reason"))
	if err == nil {
		s.redate(c, m.From)
		s.redate(c, m.To)
	}
	went(c, err, "/records/"+string(m.To)+"?done=unmerge", func(status int, p *ui.Problem) {
		if p.Field != "" {
			p.Field += "-" + c.Param("merge")
		}
		s.recordOf(c, status, nil, p)
	})
}
