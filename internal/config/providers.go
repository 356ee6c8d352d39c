package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/oidc"
	"github.com/wardseal/wardseal/internal/signin"
)

// providerFile is the file of --sign-in-providers.
type providerFile struct {
	Providers []provider `yaml:"providers"`
}

// provider is one entry of it; docs/operations.md explains each setting.
type provider struct {
	ID            string              `yaml:"id"`
	Name          string              `yaml:"name"`
	Issuer        string              `yaml:"issuer"`
	ClientID      string              `yaml:"client-id"`
	SecretFile    string              `yaml:"client-secret-file"`
	ClientAuth    string              `yaml:"client-auth"`
	KeyFile       string              `yaml:"client-key-file"`
	KeyID         string              `yaml:"client-key-id"`
	CAFile        string              `yaml:"ca-file"`
	Scopes        []string            `yaml:"scopes"`
	ACRValues     []string            `yaml:"acr-values"`
	ClaimsRequest string              `yaml:"claims-request"`
	UserInfo      bool                `yaml:"userinfo"`
	Account       string              `yaml:"account-claim"`
	NameClaim     string              `yaml:"name-claim"`
	Username      string              `yaml:"username-claim"`
	Groups        string              `yaml:"groups-claim"`
	GroupParts    []string            `yaml:"group-parts"`
	Factor        map[string][]string `yaml:"second-factor"`
	Map           []providerMap       `yaml:"map"`
}

type providerMap struct {
	Group string      `yaml:"group"`
	Role  access.Role `yaml:"role"`
	Teams []string    `yaml:"teams"`
}

var providerID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// providers reads where else staff sign in. A file that is not wholly right
// lets nobody in.
func (c Config) providers() ([]signin.Provider, error) {
	if c.Sessions.Providers == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.Sessions.Providers)
	if err != nil {
		return nil, fmt.Errorf("read the sign-in providers: %w", err)
	}
	var file providerFile
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the sign-in providers in %s: %w", c.Sessions.Providers, err)
	}
	if len(file.Providers) == 0 {
		return nil, fmt.Errorf("%s names no sign-in provider", c.Sessions.Providers)
	}
	var out []signin.Provider
	ids, issuers := map[string]bool{}, map[string]bool{}
	for _, p := range file.Providers {
		if ids[p.ID] || issuers[p.Issuer] {
			return nil, fmt.Errorf("sign-in provider %q: there is one with this id or issuer already", p.ID)
		}
		ids[p.ID], issuers[p.Issuer] = true, true
		made, err := p.open()
		if err != nil {
			return nil, fmt.Errorf("sign-in provider %q: %w", p.ID, err)
		}
		out = append(out, made)
	}
	return out, nil
}

// check refuses an entry that would let in nobody, or the wrong people.
func (p provider) check() error {
	switch {
	case !providerID.MatchString(p.ID):
		return errors.New("id must be of small letters, digits and hyphens, such as entra")
	case strings.TrimSpace(p.Name) == "" || len(p.Name) > 60:
		return errors.New("name is missing, or longer than 60: it stands on the button")
	case p.Groups == "" || len(p.Map) == 0:
		return errors.New("groups-claim or map is missing: without them nobody has a role")
	case p.ClaimsRequest != "" && !json.Valid([]byte(p.ClaimsRequest)):
		return errors.New("claims-request is not JSON")
	case p.ClientAuth != "basic" && p.ClientAuth != "post":
		return errors.New("client-auth is basic or post")
	}
	for _, m := range p.Map {
		if m.Group == "" || m.Role == "" && len(m.Teams) == 0 {
			return errors.New("each line of map needs a group, and a role or teams")
		}
		if m.Role != "" && !m.Role.Valid() {
			return fmt.Errorf("map: there is no role %q; the roles are clinician, consultant, records-officer, auditor and administrator", m.Role)
		}
		for _, t := range m.Teams {
			if strings.TrimSpace(t) != t || t == "" || len(t) > 100 {
				return errors.New("map: a team has a name of 1 to 100 characters")
			}
		}
	}
	return nil
}

func (p provider) open() (signin.Provider, error) {
	or := func(s *string, to string) {
		if *s == "" {
			*s = to
		}
	}
	or(&p.ClientAuth, "basic")
	or(&p.Account, "sub")
	or(&p.NameClaim, "name")
	or(&p.Username, "preferred_username")
	if err := p.check(); err != nil {
		return signin.Provider{}, err
	}
	if len(p.Scopes) == 0 {
		p.Scopes = []string{"openid", "profile"}
	}
	cfg := oidc.Config{Issuer: p.Issuer, ClientID: p.ClientID, Post: p.ClientAuth == "post", Scopes: p.Scopes, ACR: p.ACRValues, Claims: p.ClaimsRequest, CAFile: p.CAFile, UserInfo: p.UserInfo, Clock: time.Now}
	var err error
	if p.SecretFile != "" {
		if cfg.Secret, err = secretFile(p.SecretFile); err != nil {
			return signin.Provider{}, fmt.Errorf("read the client's secret: %w", err)
		}
	}
	if p.KeyFile != "" {
		key, err := secretFile(p.KeyFile)
		if err != nil {
			return signin.Provider{}, fmt.Errorf("read the client's key: %w", err)
		}
		if cfg.Key, err = oidc.NewSigner([]byte(key), p.KeyID); err != nil {
			return signin.Provider{}, err
		}
	}
	made := signin.Provider{ID: p.ID, Name: p.Name, Issuer: p.Issuer, Account: p.Account, NameClaim: p.NameClaim, Username: p.Username,
		Groups: p.Groups, GroupParts: p.GroupParts, Factor: p.Factor}
	for _, m := range p.Map {
		made.Map = append(made.Map, signin.Grant(m))
	}
	made.OIDC, err = oidc.New(cfg)
	return made, err
}
