package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// itemView is one item as its page shows it.
type itemView struct {
	ID             media.ItemID
	Patient        Patient
	BodySite, Note string
	Team, Uploader words.Text
	Case           media.CaseID
	Consent        words.Text
	ConsentFrom    words.Text // who gave it; empty when not stated
	ConsentDetail  string
	CapturedWith   words.Text // empty when not known
	FromFile       bool       // a copy may remain where it was chosen
	TakenAt        time.Time
	FiledAt        time.Time
	Receipt        media.Receipt
	Viewer         *viewer // nil when who asks may not see the picture
	Filed          string  // "new" or "before", right after sending
	Video          bool

	Shares bool // may make links
	Sends  bool
	Order  map[string]string
	Made   *madeLink
	Links  []linkRow
	People []Person // whom a link can be for
	Teams  []Team
	Until  time.Time // end of an opened link

	Asks      bool              // may ask about it
	Asking    map[string]string // as typed
	Questions []questionRow     // about this patient, to which the item can be added
	SeenBy    []seenRow
	Kept      *keptItem // until when and why; nil through a link
	Record    bool      // may see the patient's record
	Ours      bool      // of one of the reader's teams: the case and the patient over time are theirs to see
}

// viewer is a picture or video as it is shown.
type viewer struct {
	Alt      words.Text
	Video    bool
	Src      string // what the browser shows; empty while there is nothing it could
	Type     string // media type of a video
	Poster   string
	Full     string // what 100 % shows, when that is more than Src
	Original string // as taken
	Foreign  bool   // no browser shows the original
	Format   string
	Bytes    int64
	State    string   // done, waiting, failed, none or unavailable
	Progress *float64 // 0 to 1 while waiting; nil when not known
	Wanted   string   // address that answers once what is waited for is there
	Item     media.ItemID
	Looks    []words.Text // what was measured and may be put right
	Retake   bool         // say so to who took it

	Width, Height int    // of the original, upright; 0 when not known
	Moving        bool   // it may be an animation
	Marks         string // address in the API of what is drawn and written over it; empty for who may not see that
	Annotates     bool
	Mark          watermark
}

// moving pictures are shown as they are so that they move.
var moving = map[media.Format]bool{media.PNG: true, media.GIF: true, media.WebP: true}

// viewerOf chooses the renditions to show; base is the address they are under.
func viewerOf(v transfer.ItemView, base string) *viewer {
	have := map[media.Rendition]media.RenditionRow{}
	for _, r := range v.Renditions {
		have[r.Rendition] = r
	}
	at := func(r media.Rendition) string {
		if _, ok := have[r]; !ok {
			return ""
		}
		return base + string(r)
	}
	original := have[media.Original]
	w := &viewer{
		Width: original.Width, Height: original.Height,
		Alt: words.Say("Clinical picture: {site}", v.BodySite), Video: v.Format.Video(), Original: at(media.Original), Format: v.Format.String(), Bytes: original.Bytes,
		State: v.Deriving.State, Progress: v.Deriving.Progress, Item: v.ID, Looks: looks(v.Quality),
	}
	if w.Video {
		w.Alt = words.Say("Clinical video: {site}", v.BodySite)
		w.Src, w.Type, w.Poster, w.Wanted = at(media.Original), original.Format.MediaType(), at(media.Poster), base+string(media.Playable)
		if w.Poster == "" {
			w.Wanted = base + string(media.Poster)
		}
		if p := at(media.Playable); p != "" {
			w.Src, w.Type = p, have[media.Playable].Format.MediaType()
		}
		return w
	}
	w.Wanted = base + string(media.Preview)
	switch {
	case moving[v.Format]:
		w.Src = w.Original
	case at(media.Preview) != "":
		w.Src = at(media.Preview)
		switch whole := have[media.Detail]; {
		case whole.Rendition != "":
			w.Full, w.Width, w.Height = at(media.Detail), whole.Width, whole.Height
		case v.Format.Shown():
			w.Full = w.Original
		default:
			w.Wanted = base + string(media.Detail)
		}
	case v.Format.Shown():
		w.Src = w.Original
	}
	w.Foreign, w.Moving = !v.Format.Shown(), moving[v.Format] && v.Format != media.PNG
	return w
}

var qualityWords = map[media.Flag]words.Text{
	media.Blurred:     "This picture looks blurred.",
	media.Dark:        "This picture looks too dark to see much.",
	media.Overexposed: "Much of this picture is plain white.",
}

// looks says what was measured and may be worth another picture.
func looks(q *media.Quality) (out []words.Text) {
	if q == nil {
		return nil
	}
	for _, f := range q.Flags {
		out = append(out, qualityWords[f])
	}
	return out
}

var consentWords = map[media.Consent]words.Text{
	media.ConsentRecord:      "For the record only",
	media.ConsentTeaching:    "For the record and for teaching",
	media.ConsentPublication: "For the record, teaching and publication",
}

// What is not stated has no words.
var (
	giverWords = map[media.ConsentGiver]words.Text{
		media.GivenByPatient:       "Given by the patient",
		media.GivenByParent:        "Given by a parent or guardian",
		media.GivenByAttorney:      "Given by an attorney or deputy",
		media.GivenByBestInterests: "Decided in the patient’s best interests",
	}
	capturedWords = map[media.CapturedWith]words.Text{
		media.CapturedCamera: "With this page’s camera",
		media.CapturedNative: "With the phone’s own camera",
		media.CapturedFrame:  "As a frame of the camera’s moving picture: fewer pixels than a photo",
		media.CapturedFile:   "Chosen from the device’s files: a copy may still be there",
	}
)

func (s *Server) itemPage(c *gin.Context) { s.item(c, http.StatusOK, said{}, nil) }

// said is what was typed into the forms of an item's page, and the link that
// was made of it.
type said struct {
	order, asking map[string]string
	made          *madeLink
}

// item shows an item.
func (s *Server) item(c *gin.Context, status int, said said, problem *ui.Problem) {
	who := principal(c)
	v, out, err := s.described(c, media.ItemID(c.Param("id")))
	if err != nil {
		failPage(c, err)
		return
	}
	rel := v.Relation
	if access.Decide(who, access.ShowItem, rel) == access.Allow {
		out.Viewer = viewerOf(v, "/api/v1/items/"+string(v.ID)+"/renditions/")
		out.Viewer.Retake, out.Viewer.Mark = v.Uploader == who.Person.ID, watermarkFor(c, "viewer")
		if access.Decide(who, access.SeeAnnotations, rel) == access.Allow {
			out.Viewer.Marks = "/items/" + string(v.ID) + "/annotations"
		}
		out.Viewer.Annotates = access.Decide(who, access.Annotate, rel) == access.Allow
	}
	out.Ours = rel&access.SameTeam != 0 || who.Person.Role == access.RecordsOfficer
	out.Shares = access.Decide(who, access.MakeLink, rel) == access.Allow
	out.Sends = access.May(who, access.UploadItem) == access.Allow
	out.Filed, out.Order, out.Made, out.Asking = c.Query("filed"), said.order, said.made, said.asking
	if out.Order == nil {
		out.Order = map[string]string{"uses": "1", "ttl": "1h0m0s"}
	}
	if out.Shares {
		if err := s.sharing(c, &out, v.ID); err != nil {
			failPage(c, err)
			return
		}
	}
	kept, err := s.Records.Why(c.Request.Context(), v.ID, v.Item.Patient)
	if err != nil {
		failPage(c, err)
		return
	}
	k := s.keptItem(kept, out.Teams)
	out.Kept, out.Record = &k, access.May(who, access.ReadRecords) == access.Allow
	if err := s.conversing(c, &out, v); err != nil {
		failPage(c, err)
		return
	}
	render(c, status, "item", ui.Page{Title: words.Data(out.BodySite), Wide: true, Problem: problem, Data: out})
}

// described gives an item and what its page says of it, without the picture.
func (s *Server) described(c *gin.Context, id media.ItemID) (transfer.ItemView, itemView, error) {
	v, err := s.Items.Describe(c.Request.Context(), principal(c), id)
	if err != nil {
		return v, itemView{}, err
	}
	people, teams, err := s.names(c)
	if err != nil {
		return v, itemView{}, err
	}
	return v, itemView{
		ID: v.ID, Patient: patient(*v.Patient), BodySite: v.BodySite, Note: v.Note, Case: v.Case, Team: teamName(teams, v.Team), Uploader: personName(people, v.Uploader),
		Consent: consentWords[v.Consent], ConsentFrom: giverWords[v.ConsentGivenBy], ConsentDetail: v.ConsentDetail, CapturedWith: capturedWords[v.CapturedWith], FromFile: v.CapturedWith == media.CapturedFile, TakenAt: v.CapturedAt, FiledAt: v.FiledAt, Receipt: v.Receipt, Video: v.Format.Video(),
		People: people, Teams: teams,
	}, nil
}

// sharing adds what making links to the item needs.
func (s *Server) sharing(c *gin.Context, out *itemView, id media.ItemID) error {
	links, err := s.Links.Mine(c.Request.Context(), principal(c))
	if err != nil {
		return err
	}
	var here []transfer.LinkView
	for _, l := range links {
		if l.Item == id {
			here = append(here, l)
		}
	}
	out.Links = linkRows(here, out.People, out.Teams)
	out.People = able(out.People, principal(c))
	return nil
}

// openedPage shows the item of an opened link, until the grant ends.
func (s *Server) openedPage(c *gin.Context) {
	g, err := s.Views.Opened(c.Request.Context(), principal(c), link.GrantID(c.Param("id")))
	if err != nil {
		failPage(c, err)
		return
	}
	v, out, err := s.described(c, g.Item)
	if err != nil {
		failPage(c, err)
		return
	}
	out.Viewer, out.Until = viewerOf(v, "/api/v1/grants/"+string(g.ID)+"/renditions/"), g.ExpiresAt
	out.Viewer.Mark, out.Viewer.Marks = watermarkFor(c, "viewer"), "/grants/"+string(g.ID)+"/annotations"
	render(c, http.StatusOK, "item", ui.Page{Title: words.Data(out.BodySite), Wide: true, Data: out})
}
