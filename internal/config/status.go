package config

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/wardseal/wardseal/api"
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
	out := []api.Part{{Name: "Program", OK: true, Says: Version()}}
	add := func(name string, err error, says string) {
		if err != nil {
			says = "It does not answer. The log says why."
		}
		out = append(out, api.Part{Name: name, OK: err == nil, Says: says})
	}
	version, err := s.Store.SchemaVersion(ctx)
	add("Database", err, fmt.Sprintf("%s, schema %d", c.Database.Driver, version))
	objects := "a folder on this server"
	if c.Objects.Kind == "s3" {
		objects = "S3: bucket " + c.Objects.Bucket
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
	add("Keys", err, fmt.Sprintf("%d key-encryption keys, each sealed to the root and the escrow recipients", n))
	if err == nil && !present {
		out[len(out)-1].Says += "; this month's is made when it is first needed"
	}
	counts, err := s.Store.JobCounts(ctx)
	add("Work in the background", err, fmt.Sprintf("%d to do, %d done, %d given up", counts[meta.JobReady], counts[meta.JobDone], counts[meta.JobDead]))
	out = append(out, s.scrubStatus(ctx), s.backupStatus(ctx))
	out = append(out, s.auditStatus(ctx)...)
	add("Videos", nil, map[bool]string{true: "posters and playable copies are made", false: "no posters or playable copies: ffmpeg is missing on this server"}[s.flows.Items.Films])
	mail := "none is sent: no server is set"
	if c.Mail.Server != "" {
		mail = "through " + c.Mail.Server
	}
	add("Mail", nil, mail)
	add("Sign-in", nil, fmt.Sprintf("a session lasts %s, or %s without a request; %d failures lock an account for %s", words(c.Sessions.SessionFor), words(c.Sessions.IdleFor), c.Sessions.LockAfter, words(c.Sessions.LockFor)))
	add("Emergency access", nil, "lasts "+words(c.Limits.EmergencyFor))
	return out
}

// words writes a duration as people say it.
func words(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	if d >= time.Hour && d%time.Hour == 0 {
		n, unit = int(d/time.Hour), "hour"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
