package api

import (
	"bytes"
	"encoding/json"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// legible refuses an address of which a part cannot be read. Such a part of a
// query would otherwise be passed over, and a list come without its filter.
func legible(c *gin.Context) {
	if !words.Legible(c.Request.URL.Path) {
		noRoute(c)
		return
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if _, bad := illegibleValue(query); err == nil && !bad {
		return
	}
	wrong := fault.New(fault.Invalid, "query-illegible", "What follows the question mark in this address cannot be read. Check it, and try again.")
	if inAPI(c) {
		fail(c, wrong)
		return
	}
	failPage(c, wrong)
}

// illegibleValue finds a value that cannot be kept, and gives its name.
func illegibleValue(form url.Values) (name string, found bool) {
	for name, values := range form {
		for _, v := range append(values, name) {
			if !words.Legible(v) {
				return name, true
			}
		}
	}
	return "", false
}

// illegible reports whether a text of JSON has a string that cannot be kept.
// What is no JSON at all is for somebody else to refuse.
func illegible(text []byte) bool {
	if !words.Legible(string(text)) {
		return true
	}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		t, err := d.Token()
		if err != nil {
			return false
		}
		if s, ok := t.(string); ok && !words.Legible(s) {
			return true
		}
	}
}
