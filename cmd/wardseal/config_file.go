package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// configFile is the file of --config: one to a line, named as its flag is, for
// whichever command has that flag. Names may be sorted into sections by their
// parts: what is "database-driver" is also "driver" in a section "database".
type configFile map[string]any

// readConfigFile is a kong.ConfigurationLoader.
func readConfigFile(r io.Reader) (kong.Resolver, error) {
	var file map[string]any
	if err := yaml.NewDecoder(r).Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	s := configFile{}
	return s, s.add("", file)
}

func (s configFile) add(section string, lines map[string]any) error {
	for name, v := range lines {
		name = section + name
		if more, ok := v.(map[string]any); ok {
			if err := s.add(name+"-", more); err != nil {
				return err
			}
			continue
		}
		if _, twice := s[name]; twice {
			return fmt.Errorf("the settings have %s twice", name)
		}
		if v == nil {
			return fmt.Errorf("the settings have %s without a value", name)
		}
		s[name] = v
	}
	return nil
}

// Validate refuses what is no setting: a mistyped one would silently not hold.
// Settings are the flags that can also be set in the environment.
func (s configFile) Validate(app *kong.Application) error {
	unknown := maps.Clone(s)
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && len(f.Envs) > 0 {
			delete(unknown, f.Name)
		}
		return next(nil)
	})
	if len(unknown) > 0 {
		names := slices.Sorted(maps.Keys(unknown))
		err = fmt.Errorf("the settings have what is no setting: %s (see wardseal serve --help)", strings.Join(names, ", "))
	}
	return err
}

// Resolve implements kong.Resolver. The environment wins over the file.
func (s configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	if len(flag.Envs) == 0 {
		return nil, nil
	}
	return s[flag.Name], nil
}
