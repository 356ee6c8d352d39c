package e2e

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/media"
)

// manifestOf is what the signed manifest says of how an item came to be.
type manifestOf struct {
	Manifest struct {
		V               int
		CapturedWith    string `json:"captured_with"`
		ConsentGivenBy  string `json:"consent_given_by"`
		ConsentCapacity string `json:"consent_capacity"`
	}
}

// How a picture was taken and who consented is kept, signed and shown; a
// client that says nothing has said nothing.
func TestHowItWasTakenAndWhoConsented(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse := h.as("nurse")
		for name, c := range map[string]struct {
			said map[string]string
			want [4]string // with, by, capacity, detail
			page string    // what the item's page says
		}{
			"an old client": {nil, [4]string{"unknown", "not-stated", "not-stated", ""}, ""},
			"all of it":     {map[string]string{"captured_with": "camera", "consent_given_by": "patient", "consent_capacity": "has-capacity"}, [4]string{"camera", "patient", "has-capacity", ""}, "Given by the patient"},
			"implied":       {map[string]string{"captured_with": "file", "consent_given_by": "parent"}, [4]string{"file", "parent", "child", ""}, "Chosen from the device"},
			"for another":   {map[string]string{"consent_given_by": "attorney", "consent_detail": "DETAIL-MARKER"}, [4]string{"unknown", "attorney", "lacks-capacity", "DETAIL-MARKER"}, "Given by an attorney or deputy: DETAIL-MARKER"},
		} {
			d := h.details()
			d["allow_repeat"] = "true"
			for k, v := range c.said {
				d[k] = v
			}
			a := nurse.upload(phone(t), d)
			if a.status != http.StatusCreated {
				t.Fatalf("%s: %d %s", name, a.status, a.body)
			}
			var filed api.Filing
			a.into(t, &filed)
			id := string(filed.Item.ID)
			var detail api.ItemDetail
			nurse.must("GET", "/items/"+id, http.StatusOK, nil).into(t, &detail)
			if got := [4]string{string(detail.CapturedWith), string(detail.ConsentGivenBy), string(detail.ConsentCapacity), detail.ConsentDetail}; got != c.want {
				t.Errorf("%s: %v", name, got)
			}
			var m manifestOf
			nurse.must("GET", "/items/"+id+"/receipt", http.StatusOK, nil).into(t, &m)
			if got := [3]string{m.Manifest.CapturedWith, m.Manifest.ConsentGivenBy, m.Manifest.ConsentCapacity}; m.Manifest.V != 2 || got != [3]string(c.want[:3]) {
				t.Errorf("%s is signed as %+v", name, m)
			}
			page := nurse.send("GET", "/pictures/"+id, nil)
			if !strings.Contains(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(page.body), ""), c.page) {
				t.Errorf("%s: the page does not say %q", name, c.page)
			}
			if c.page == "" && strings.Contains(string(page.body), "How it was taken") {
				t.Errorf("%s: the page says how it was taken", name)
			}
		}
	})
}

// What is not known, or does not fit together, is refused at its field.
func TestConsentThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	for field, cases := range map[string]map[string]map[string]string{
		"captured_with":    {"captured-with-unknown": {"captured_with": "drone"}},
		"consent_given_by": {"consent-given-by-unknown": {"consent_given_by": "neighbour"}},
		"consent_capacity": {
			"consent-capacity-unknown": {"consent_capacity": "some"},
			"consent-contradiction":    {"consent_given_by": "patient", "consent_capacity": "lacks-capacity"},
		},
		"consent_detail": {
			"consent-detail-missing": {"consent_given_by": "best-interests"},
			"consent-detail-long":    {"consent_detail": strings.Repeat("x", 201)},
		},
	} {
		for code, said := range cases {
			d := h.details()
			for k, v := range said {
				d[k] = v
			}
			a := h.as("nurse").upload(phone(t), d)
			var p api.Problem
			a.into(t, &p)
			if a.status != http.StatusUnprocessableEntity || p.Code != code || p.Field != field {
				t.Errorf("%s: %d %+v", code, a.status, p)
			}
		}
	}
	if n := objects(t, h); n != 0 {
		t.Errorf("%d objects are stored", n)
	}
}

// The page's form carries the same fields.
func TestThePageSaysHowItWasTaken(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range h.details() {
		if k != "date_of_birth" {
			_ = w.WriteField(k, v)
		}
	}
	for k, v := range map[string]string{"dob_day": "31", "dob_month": "1", "dob_year": "1950", "captured_with": "native", "consent_given_by": "best-interests", "consent_detail": "daughter asked"} {
		_ = w.WriteField(k, v)
	}
	f, _ := w.CreateFormFile("file", "IMG_0001.JPG")
	_, _ = f.Write(phone(t))
	_ = w.Close()
	h.stay(func() {
		nurse := h.as("nurse")
		a := nurse.send("POST", "/send", &b, "Content-Type", w.FormDataContentType(), "Sec-Fetch-Site", "same-origin")
		id, found := strings.CutPrefix(strings.TrimSuffix(a.header.Get("Location"), "?filed=new"), "/pictures/")
		if a.status != http.StatusSeeOther || !found {
			t.Fatalf("%d %s: %s", a.status, a.header.Get("Location"), a.body)
		}
		var detail api.ItemDetail
		nurse.must("GET", "/items/"+id, http.StatusOK, nil).into(t, &detail)
		if detail.CapturedWith != media.CapturedNative || detail.ConsentGivenBy != media.GivenByBestInterests || detail.ConsentCapacity != media.LacksCapacity || detail.ConsentDetail != "daughter asked" {
			t.Errorf("%+v", detail)
		}
	})
}
