package api

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
	"gopkg.in/yaml.v3"
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

func openAPI(c *gin.Context) { c.Data(http.StatusOK, "application/json", openAPIDocument()) }
