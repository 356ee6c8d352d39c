package config

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// Version is the program's version, and the commit it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return v
}

// status tells an administrator how each part is. It names no secret and
// nothing of a patient.
func (s *System) status(ctx context.Context) []api.Part {
	c := s.Config
	out := []api.Part{{Name: "Program", OK: true, Says: words.Data(Version())}}
	add := func(name words.Text, err error, says words.Text) {
		if err != nil {
			says = "It does not answer. The log says why."
		}
		out = append(out, api.Part{Name: name, OK: err == nil, Says: says})
	}
	version, err := s.Store.SchemaVersion(ctx)
	add("Database", err, words.Say("{database}, schema {n}", c.Database.Driver, version))
	objects := words.Text("a folder on this server")
	if c.Objects.Kind == "s3" {
		objects = words.Say("S3: bucket {bucket}", c.Objects.Bucket)
	}
	add("Pictures", s.Objects.Check(ctx), objects)
	keys, err := s.Store.SealedKeys(ctx)
	month, n := time.Now().UTC().Format("2006-01"), 0
	present := false
	for _, k := range keys {
		if k.Purpose == "kek" {
			n++
			present = present || k.Period == month
		}
	}
	sealed := words.Count(n, "{n} key-encryption key, sealed to the root and the escrow recipients", "{n} key-encryption keys, each sealed to the root and the escrow recipients")
	if !present {
		sealed = words.Say("{keys}; this month's is made when it is first needed", sealed)
	}
	add("Keys", err, sealed)
	counts, err := s.Store.JobCounts(ctx)
	add("Work in the background", err, words.Say("{ready} to do, {done} done, {dead} given up", counts[meta.JobReady], counts[meta.JobDone], counts[meta.JobDead]))
	out = append(out, s.scrubStatus(ctx), s.backupStatus(ctx))
	out = append(out, s.auditStatus(ctx)...)
	add("Videos", nil, map[bool]words.Text{true: "posters and playable copies are made", false: "no posters or playable copies: ffmpeg is missing on this server"}[s.flows.Items.Films])
	mail := words.Text("none is sent: no server is set")
	if c.Mail.Server != "" {
		mail = words.Say("through {server}", c.Mail.Server)
	}
	add("Mail", nil, mail)
	add("Sign-in", nil, words.Say("a session lasts {time}, or {idle} without a request; {n} failures lock an account for {locked}", lasting(c.Sessions.SessionFor), lasting(c.Sessions.IdleFor), c.Sessions.LockAfter, lasting(c.Sessions.LockFor)))
	add("Emergency access", nil, words.Say("lasts {time}", lasting(c.Limits.EmergencyFor)))
	return out
}

// lasting writes a duration as people say it.
func lasting(d time.Duration) words.Text {
	if d >= time.Hour && d%time.Hour == 0 {
		return words.Count(int(d/time.Hour), "{n} hour", "{n} hours")
	}
	return words.Count(int(d/time.Minute), "{n} minute", "{n} minutes")
}

// stamp writes a time for whoever runs the server.
func stamp(t time.Time) string { return t.Format("2 January 2006, 15:04 MST") }
