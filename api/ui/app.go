package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sort"
)

// workerFile is the built service worker.
const workerFile = "worker.js"

// Worker is the service worker of this build: it keeps the built files and the
// shell page, and nothing else. Another build has another one, whose bytes
// differ, which is how browsers notice.
func Worker(shell []byte, more []Asset) []byte {
	code, err := files.ReadFile("dist/" + workerFile)
	if err != nil {
		panic(err) // embedded
	}
	var paths []string
	for _, a := range assets() {
		paths = append(paths, a.Path)
	}
	for _, a := range more {
		paths = append(paths, a.Path)
	}
	sort.Strings(paths)
	list, err := json.Marshal(paths)
	if err != nil {
		panic(err) // strings
	}
	sum := sha256.Sum256(append(append(list, code...), shell...))
	return append([]byte("const ASSETS="+string(list)+",VERSION=\""+hex.EncodeToString(sum[:8])+"\";\n"), code...)
}

// Manifest makes the pages an app that can be installed.
func Manifest() []byte {
	icon := func(name, sizes, media, purpose string) map[string]string {
		return map[string]string{"src": assets()[name].Path, "sizes": sizes, "type": media, "purpose": purpose}
	}
	b, err := json.Marshal(map[string]any{
		"name": "Wardseal", "short_name": "Wardseal", "id": "/", "start_url": "/", "scope": "/", "display": "standalone", "lang": "en-GB",
		"description": "Send clinical pictures securely", "background_color": "#f0f4f5", "theme_color": "#005eb8",
		"icons": []map[string]string{
			icon("icon.svg", "any", "image/svg+xml", "any"), icon("icon-192.png", "192x192", "image/png", "any"), icon("icon-512.png", "512x512", "image/png", "any"),
			icon("icon-512.png", "512x512", "image/png", "maskable"),
		},
		"shortcuts": []map[string]string{{"name": "Send a picture", "url": "/send"}, {"name": "Waiting to be sent", "url": "/queue"}},
	})
	if err != nil {
		panic(err) // strings
	}
	return b
}
