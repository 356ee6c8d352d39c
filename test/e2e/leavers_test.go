package e2e

import (
	"net/http"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// Who leaves is out everywhere: the very next request with anything that they
// had, or had made, is refused, and restoring them brings none of it back.
func TestLeavers(t *testing.T) {
	t.Parallel()
	h, post := inviting(t, "sqlite+filesystem")
	item := h.filed()
	h.previewed(item)
	_, invitation := h.invited(post, doctor, nil, item)
	guest := h.visits(post, invitation)
	nurse, elsewhere, script := h.as("nurse").proves(), h.as("nurse"), h.nobody()
	var token api.Token
	nurse.must("POST", "/tokens", http.StatusCreated, body{"name": "script", "scopes": []string{"items.read"}, "ttl_seconds": 3600}).into(t, &token)
	byToken := func() answer { return script.ask("GET", "/items/"+item, nil, "Authorization", "Bearer "+token.Secret) }
	made, _ := h.linkTo(item, h.ids["consultant"])
	consultant := h.as("consultant")
	byLink := func() answer { return consultant.ask("POST", "/links/open", body{"secret": made}) }
	push := meta.PushSubscription{ID: "push", Person: h.ids["nurse"], Address: []byte("address"), Subscription: media.Sealed("sealed")}
	if err := h.sys.Store.AddPush(t.Context(), push, audit.NewEvent(audit.PersonChanged, nurse.principal(), audit.Subject{})); err != nil {
		t.Fatal(err)
	}
	asks := map[string]func() answer{
		"a session":                   func() answer { return nurse.ask("GET", "/items/"+item, nil) },
		"another session":             func() answer { return elsewhere.ask("GET", "/items/"+item, nil) },
		"an API token":                byToken,
		"a link that they made":       byLink,
		"a visit by their invitation": func() answer { return guest.ask("GET", "/invited/items/"+item+"/renditions/preview", nil) },
		"their invitation":            func() answer { return h.nobody().ask("POST", "/invited/code", body{"secret": invitation}) },
		"their password": func() answer {
			return h.nobody().ask("POST", "/session", body{"username": "nurse", "password": password})
		},
	}
	for name, ask := range asks {
		if a := ask(); a.status >= 300 && name != "their invitation" { // whose code was sent a moment ago
			t.Errorf("%s before: %d %s", name, a.status, a.body)
		}
	}
	h.as("admin").must("POST", "/people/"+string(h.ids["nurse"])+"/suspend", http.StatusNoContent, nil)
	for name, ask := range asks {
		want := map[string]int{"a link that they made": http.StatusGone, "their invitation": http.StatusGone}[name]
		if want == 0 {
			want = http.StatusUnauthorized
		}
		if a := ask(); a.status != want {
			t.Errorf("%s: %d %s", name, a.status, a.code())
		}
	}
	if told, err := h.sys.Store.PushesTo(t.Context(), h.ids["nurse"]); err != nil || len(told) != 0 {
		t.Errorf("%d browsers are told: %v", len(told), err)
	}
	h.as("admin").must("POST", "/people/"+string(h.ids["nurse"])+"/restore", http.StatusNoContent, nil)
	for name, ask := range asks {
		if a := ask(); name != "their password" && a.status < 400 {
			t.Errorf("%s after they were restored: %d", name, a.status)
		}
	}
}

// A token may do what its scopes name, of what its owner may, and no more;
// whatever it is, nothing of their account.
func TestTokenScopes(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	mint := func(who string, scopes ...string) *tokened {
		var made api.Token
		h.as(who).proves().must("POST", "/tokens", http.StatusCreated, body{"name": "script", "scopes": scopes, "ttl_seconds": 3600}).into(t, &made)
		return &tokened{h.nobody(), made.Secret}
	}
	for _, bad := range []any{[]string{}, []string{"items.read", "everything"}, []string{""}} {
		if a := h.as("nurse").proves().ask("POST", "/tokens", body{"name": "script", "scopes": bad, "ttl_seconds": 3600}); a.code() != "token-scope-unknown" {
			t.Errorf("scopes %v: %d %s", bad, a.status, a.code())
		}
	}
	reads, sends, audits := mint("nurse", "items.read"), mint("nurse", "items.send"), mint("auditor", "audit.read")
	for _, c := range []struct {
		by           *tokened
		method, path string
		want         string
	}{
		{reads, "GET", "/items/" + item, ""}, {reads, "GET", "/items/" + item + "/renditions/original-clean", ""}, {reads, "GET", "/session", ""},
		{reads, "POST", "/items/" + item + "/links", "token-scope"}, {reads, "GET", "/audit", "token-scope"},
		{sends, "GET", "/items/" + item, "token-scope"}, {sends, "GET", "/items", "token-scope"}, {sends, "GET", "/teams", ""},
		{audits, "GET", "/audit", ""}, {audits, "GET", "/audit/export?format=jsonl", "token-scope"}, {audits, "GET", "/items", "token-scope"},
		{mint("consultant", "audit.read"), "GET", "/audit", "not-allowed"}, {mint("outsider", "items.read"), "GET", "/items/" + item, "not-found"},
		{reads, "GET", "/tokens", "token-scope"}, {reads, "POST", "/tokens", "token-scope"}, {reads, "PUT", "/session/password", "token-scope"}, {reads, "PUT", "/session/email", "token-scope"},
		{reads, "GET", "/sessions", "token-scope"}, {reads, "POST", "/session/step-up", "token-scope"}, {reads, "POST", "/emergencies", "token-scope"},
	} {
		a := c.by.asks(c.method, c.path)
		if c.want == "" && a.status != http.StatusOK || c.want != "" && a.code() != c.want {
			t.Errorf("%s %s: %d %s, want %q", c.method, c.path, a.status, a.code(), c.want)
		}
	}
	d := h.details()
	d["allow_repeat"] = "true"
	if a := reads.upload(phone(t), d, "Authorization", "Bearer "+reads.secret); a.code() != "token-scope" {
		t.Errorf("a token that reads sends: %d %s", a.status, a.code())
	}
	if a := sends.upload(phone(t), d, "Authorization", "Bearer "+sends.secret); a.status != http.StatusCreated {
		t.Errorf("a token that sends: %d %s", a.status, a.body)
	}
	if a := reads.asks("DELETE", "/session"); a.status != http.StatusNoContent || reads.asks("GET", "/session").status != http.StatusUnauthorized {
		t.Error("a token cannot end itself")
	}
	for _, s := range access.Scopes() {
		for _, a := range s.Actions {
			if a == access.OwnAccount || a == access.ApproveDisposal || a == access.ManagePeople {
				t.Errorf("the scope %s names %s", s.Scope, a)
			}
		}
	}
}

// tokened asks with a token.
type tokened struct {
	*person
	secret string
}

func (p *tokened) asks(method, path string) answer {
	var in any
	if method == "POST" || method == "PUT" {
		in = body{}
	}
	return p.ask(method, path, in, "Authorization", "Bearer "+p.secret)
}
