package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// invitedPage lets in somebody outside, by script, since only that can read
// the part of an address after the # sign.
func (s *Server) invitedPage(c *gin.Context) {
	render(c, http.StatusOK, "invited", ui.Page{Title: "You are invited"})
}

// visitingPage resolves who visits. Whose visit has ended is told so, and is
// not asked to sign in: they have no account.
func (s *Server) visitingPage(c *gin.Context) {
	err := s.recognise(c)
	if fault.Is(err, fault.Unauthenticated) {
		render(c, http.StatusUnauthorized, "failed", ui.Page{Title: "Your visit has ended", Data: map[string]any{"Text": problemOf(err).Text, "Request": requestID(c)}})
		c.Abort()
		return
	}
	if err != nil {
		failPage(c, err)
	}
}

// visitView is what a visitor sees: what they were invited for, and the
// pictures. What the record says of them is not theirs to see.
type visitView struct {
	Name, From, Purpose string
	Until               time.Time
	Pictures            []visitPicture
	One                 bool // a page of one picture of several
}

type visitPicture struct {
	ID     media.ItemID
	Label  words.Text
	Viewer *viewer
}

func (s *Server) visitPage(c *gin.Context) { s.visit(c, "") }

func (s *Server) visitItemPage(c *gin.Context) { s.visit(c, media.ItemID(c.Param("id"))) }

func (s *Server) visit(c *gin.Context, only media.ItemID) {
	v, err := s.Guests.Look(c.Request.Context(), visit(c))
	if err != nil {
		failPage(c, err)
		return
	}
	out := visitView{Name: v.Name, From: v.From, Purpose: v.Purpose, Until: v.EndsAt, One: only != ""}
	mark := watermark{"viewer", v.Name, time.Now()}
	for i, it := range v.Items {
		if only != "" && it.ID != only {
			continue
		}
		p := visitPicture{ID: it.ID, Label: words.Say("Picture {n} of {all}", i+1, len(v.Items))}
		if it.Video {
			p.Label = words.Say("Video {n} of {all}", i+1, len(v.Items))
		}
		p.Viewer = invitedViewer(it, p.Label)
		mark.ID = fmt.Sprintf("viewer-%d", i)
		p.Viewer.Mark = mark
		out.Pictures = append(out.Pictures, p)
	}
	if len(out.Pictures) == 0 {
		failPage(c, fault.New(fault.NotFound, "not-found", "There is nothing here that you may see."))
		return
	}
	if len(v.Items) == 1 {
		out.One = true
	}
	render(c, http.StatusOK, "visit", ui.Page{Title: "Clinical pictures", Wide: true, Data: out})
}

// invitedViewer chooses the form to show; Src is empty while there is none.
func invitedViewer(it transfer.InvitedItem, label words.Text) *viewer {
	w := &viewer{Alt: label, Video: it.Video, Item: it.ID}
	for _, f := range it.Forms {
		at := invitedBase + string(it.ID) + "/renditions/" + string(f.Rendition)
		switch f.Rendition {
		case media.Preview, media.Playable:
			w.Src, w.Type, w.Width, w.Height = at, f.Format.MediaType(), f.Width, f.Height
		case media.Poster:
			w.Poster = at
		}
	}
	return w
}

func (s *Server) leaveForm(c *gin.Context) {
	if err := s.Guests.Leave(c.Request.Context(), visit(c)); err != nil {
		failPage(c, err)
		return
	}
	leaveCookie(c)
	render(c, http.StatusOK, "failed", ui.Page{Title: "You have left", Data: map[string]any{"Text": words.Text("The pictures are closed. While the invitation lasts you can open the link in the mail again.")}})
}
