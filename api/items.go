package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// Item is one photo or video, without its picture.
type Item struct {
	ID         media.ItemID    `json:"id"`
	Patient    media.PatientID `json:"patient"`
	Case       media.CaseID    `json:"case,omitempty"`
	Team       access.TeamID   `json:"team"`
	Uploader   access.PersonID `json:"uploader"`
	Format     string          `json:"format"`
	MediaType  string          `json:"media_type"`
	Bytes      int64           `json:"bytes"`
	Consent    media.Consent   `json:"consent"`
	CapturedAt *time.Time      `json:"captured_at,omitempty"`
	FiledAt    *time.Time      `json:"filed_at"`

	DestroyedAt *time.Time `json:"destroyed_at,omitempty"` // then nothing else was left of it

	CapturedWith    media.CapturedWith    `json:"captured_with"`
	ConsentGivenBy  media.ConsentGiver    `json:"consent_given_by"`
	ConsentCapacity media.ConsentCapacity `json:"consent_capacity"`
}

func item(it media.Item) Item {
	return Item{it.ID, it.Patient, it.Case, it.Team, it.Uploader, it.Format.String(), it.Format.MediaType(), it.Bytes, it.Consent, at(it.CapturedAt), at(it.FiledAt), at(it.DestroyedAt),
		it.CapturedWith, it.ConsentGivenBy, it.ConsentCapacity}
}

// Filing is the answer to an upload.
type Filing struct {
	Item     Item          `json:"item"`
	Receipt  media.Receipt `json:"receipt"`
	Repeated bool          `json:"repeated"` // nothing new was stored: this was filed before
}

// ItemInList is an item with its short texts.
type ItemInList struct {
	Item
	BodySite      string `json:"body_site"`
	Note          string `json:"note,omitempty"`
	ConsentDetail string `json:"consent_detail,omitempty"`
}

// ItemDetail is all there is to know of an item besides its picture.
type ItemDetail struct {
	ItemInList
	Patient    Patient        `json:"patient"`
	Receipt    media.Receipt  `json:"receipt"`
	Renditions []Rendition    `json:"renditions"`
	Deriving   string         `json:"deriving"` // done, waiting, failed, unavailable or none
	Reason     string         `json:"deriving_reason,omitempty"`
	Progress   *float64       `json:"progress,omitempty"`
	Quality    *media.Quality `json:"quality,omitempty"`
}

// Rendition is one form of an item that can be shown.
type Rendition struct {
	Name      media.Rendition `json:"name"`
	MediaType string          `json:"media_type"`
	Bytes     int64           `json:"bytes"`
	Width     int             `json:"width,omitempty"`
	Height    int             `json:"height,omitempty"`
	URL       string          `json:"url"`
}

func inList(v transfer.ItemView) ItemInList {
	return ItemInList{item(v.Item), v.BodySite, v.Note, v.ConsentDetail}
}

func (s *Server) listItems(c *gin.Context) {
	f := transfer.ItemFilter{
		Patient: media.PatientID(c.Query("patient")), Case: media.CaseID(c.Query("case")), Team: access.TeamID(c.Query("team")),
		Uploader: access.PersonID(c.Query("uploader")), After: media.ItemID(c.Query("after")), Limit: 50,
	}
	for name, id := range map[string]string{"patient": string(f.Patient), "case": string(f.Case), "team": string(f.Team), "uploader": string(f.Uploader), "after": string(f.After)} {
		if id != "" && !media.ValidID(id) {
			fail(c, fault.New(fault.Invalid, "filter-wrong", "This filter takes an identifier that this server gave out.").In(name))
			return
		}
	}
	if !number(c, "limit", 1, 200, &f.Limit) {
		return
	}
	views, more, err := s.Items.List(c.Request.Context(), principal(c), f)
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]ItemInList, 0, len(views))
	for _, v := range views {
		out = append(out, inList(v))
	}
	page := gin.H{"items": out}
	if more {
		page["next"] = out[len(out)-1].ID
	}
	c.JSON(http.StatusOK, page)
}

// number reads a whole number from the query into n, or answers why not.
func number(c *gin.Context, name string, low, high int, n *int) bool {
	q := c.Query(name)
	if q == "" {
		return true
	}
	v, err := strconv.Atoi(q)
	if err != nil || v < low || v > high {
		fail(c, fault.New(fault.Invalid, "filter-wrong", words.Say("This must be a whole number from {low} to {high}.", low, high)).In(name))
		return false
	}
	*n = v
	return true
}

func (s *Server) describeItem(c *gin.Context) {
	v, err := s.Items.Describe(c.Request.Context(), principal(c), media.ItemID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	out := ItemDetail{ItemInList: inList(v), Patient: patient(*v.Patient), Receipt: v.Receipt, Deriving: v.Deriving.State,
		Reason: v.Deriving.Reason, Progress: v.Deriving.Progress, Quality: v.Quality, Renditions: []Rendition{}}
	for _, r := range v.Renditions {
		out.Renditions = append(out.Renditions, Rendition{r.Rendition, r.Format.MediaType(), r.Bytes, r.Width, r.Height, "/api/v1/items/" + string(v.ID) + "/renditions/" + string(r.Rendition)})
	}
	c.JSON(http.StatusOK, out)
}

// showReceipt gives the signed receipt as it was signed: the manifest, its key
// and signature, and beside them the receipt whose hash the manifest holds.
func (s *Server) showReceipt(c *gin.Context) {
	r, err := s.Items.Receipt(c.Request.Context(), principal(c), media.ItemID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal(r.Signed, &out); err != nil {
		fail(c, fmt.Errorf("read the manifest: %w", err))
		return
	}
	out["receipt"] = r.Receipt
	c.JSON(http.StatusOK, out)
}
