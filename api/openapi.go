package api

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"gopkg.in/yaml.v3"

	"github.com/wardseal/wardseal/internal/fault"
)

//go:embed openapi.yaml
var openAPIText []byte

// openAPIDocument is the contract (OpenAPI 3.1) as JSON, made when it is first asked for.
var openAPIDocument = sync.OnceValue(func() []byte {
	var doc any
	if err := yaml.Unmarshal(openAPIText, &doc); err != nil {
		panic(err) // embedded, and tested
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return b
})

// filters are the names that a query may have by the contract, by path.
var filters = sync.OnceValue(func() map[string][]string {
	var doc struct {
		Paths map[string]struct {
			Get struct {
				Parameters []struct{ Name, In string }
			}
		}
	}
	if err := yaml.Unmarshal(openAPIText, &doc); err != nil {
		panic(err) // embedded, and tested
	}
	out := map[string][]string{}
	for path, does := range doc.Paths {
		for _, p := range does.Get.Parameters {
			if p.In == "query" {
				out[path] = append(out[path], p.Name)
			}
		}
	}
	return out
})

var inPath = regexp.MustCompile(`:([a-z]+)`)

// known refuses a filter that the contract does not name, and one that is there
// twice: it would be passed over, and a list be of others than who was asked for.
func known(c *gin.Context) {
	if c.Request.Method != http.MethodGet || c.Request.URL.RawQuery == "" {
		return
	}
	names := filters()[inPath.ReplaceAllString(strings.TrimPrefix(c.FullPath(), "/api/v1"), "{$1}")]
	for name, values := range c.Request.URL.Query() {
		switch {
		case !slices.Contains(names, name):
			fail(c, fault.New(fault.Invalid, "filter-unknown", "This address does not take this filter; it may be misspelt, so nothing was listed. See /api/v1/openapi.json.").In(name))
			return
		case len(values) > 1:
			fail(c, fault.New(fault.Invalid, "filter-twice", "This filter is there twice. Send it once.").In(name))
			return
		}
	}
}

func openAPI(c *gin.Context) { c.Data(http.StatusOK, "application/json", openAPIDocument()) }
