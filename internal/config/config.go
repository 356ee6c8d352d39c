// Package config is the wiring: it composes the settings of every part, checks
// that they are whole, and opens the parts in order. Secrets come from files
// or the environment, never from flags, and are redacted when printed.
package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/signin"
)

// Config is every setting of a deployment. The struct tags make it the command
// line, the environment and the configuration file at once.
type Config struct {
	Data string `placeholder:"DIR" type:"path" env:"WARDSEAL_DATA" help:"Folder for everything that has no setting of its own: wardseal.db, objects/, spool/ and keys/."`

	Listen     string   `default:"127.0.0.1:8080" env:"WARDSEAL_LISTEN" help:"Address to serve people on."`
	Operations string   `default:"127.0.0.1:9090" env:"WARDSEAL_OPERATIONS" help:"Address to serve /metrics, /healthz and /readyz on; not for the world."`
	PublicURL  string   `env:"WARDSEAL_PUBLIC_URL" help:"How people reach the server, such as https://wardseal.example; links start with it. Must be https, save for localhost."`
	TLSCert    string   `type:"path" env:"WARDSEAL_TLS_CERT" help:"Certificate chain (PEM). Without it the server speaks plain HTTP, for a proxy on the same host."`
	TLSKey     string   `type:"path" env:"WARDSEAL_TLS_KEY" help:"Private key of the certificate (PEM)."`
	Proxies    []string `env:"WARDSEAL_PROXIES" help:"Addresses or networks of proxies whose X-Forwarded-For is believed."`

	JPEGTran string `name:"jpegtran" env:"WARDSEAL_JPEGTRAN" placeholder:"PATH" help:"The jpegtran program of libjpeg-turbo, for previews of JPEGs that are coded arithmetically. Default: jpegtran in PATH; without one, they are kept and have no preview."`
	FFmpeg   string `name:"ffmpeg" env:"WARDSEAL_FFMPEG" placeholder:"PATH" help:"The ffmpeg program, for posters and playable forms of videos; ffprobe must be beside it. Default: ffmpeg in PATH; without one, videos are kept and shown as they are."`

	GuidanceFile string `type:"path" env:"WARDSEAL_GUIDANCE_FILE" help:"Text (UTF-8) that every member of staff must acknowledge before they go on, and again when it changes. An empty line ends a paragraph; a line that starts with # is a heading. Default: guidance that comes with the program."`

	Database Database `embed:"" prefix:"database-" group:"Database"`
	Objects  Objects  `embed:"" prefix:"objects-" group:"Objects"`
	Keys     Keys     `embed:"" prefix:"keys-" group:"Keys"`
	Limits   Limits   `embed:"" prefix:"" group:"Limits"`
	Sessions Sessions `embed:"" prefix:"" group:"Sign-in"`
	Mail     Mail     `embed:"" prefix:"mail-" group:"Mail"`
	Push     Push     `embed:"" prefix:"push-" group:"Push"`
	Records  Records  `embed:"" prefix:"" group:"Records"`
	Audit    Audit    `embed:"" prefix:"audit-" group:"Audit"`
	Traces   Traces   `embed:"" prefix:"traces-" group:"Traces"`
}

// Push says which services of browsers may be asked to show that something
// waits. Without one none is.
type Push struct {
	Services []string `env:"WARDSEAL_PUSH_SERVICES" placeholder:"HOST" help:"Hosts of the makers of browsers that messages may go through: fcm.googleapis.com, updates.push.services.mozilla.com, web.push.apple.com, *.notify.windows.com. They see which browser is told and when, not what."`
	Contact  string   `env:"WARDSEAL_PUSH_CONTACT" placeholder:"ADDRESS" help:"An e-mail address for these services to write to when something is wrong. Default: the sender of mail."`
	CAFile   string   `type:"path" env:"WARDSEAL_PUSH_CA_FILE" help:"Certificate authority (PEM) that the services' certificates are checked against, if not a public one."`
}

// Records says how long things are kept, and how they end.
type Records struct {
	Jurisdiction string        `enum:",england,scotland" default:"" env:"WARDSEAL_JURISDICTION" help:"Whose retention schedule counts: england or scotland. Without one nothing has a date, and nothing is destroyed."`
	Schedule     string        `name:"retention-schedule" type:"path" env:"WARDSEAL_RETENTION_SCHEDULE" placeholder:"FILE" help:"A retention schedule (YAML) instead of the one that comes with the program. One that differs from what counts is offered to the records team, who look at what it would change and apply it."`
	Organisation string        `env:"WARDSEAL_ORGANISATION" help:"The organisation's name, as certificates of destruction give it."`
	Backups      time.Duration `name:"backups-kept-for" env:"WARDSEAL_BACKUPS_KEPT_FOR" help:"How long a backup of the database is kept, such as 840h for 35 days: after it no copy of a destroyed key is left. Without it nothing is destroyed."`
	CoolingOff   time.Duration `name:"disposal-cooling-off" default:"168h" env:"WARDSEAL_DISPOSAL_COOLING_OFF" help:"How long an approved disposal can be undone (default 7 days)."`
	Automatic    bool          `name:"disposal-automatic" env:"WARDSEAL_DISPOSAL_AUTOMATIC" help:"Have what is due destroyed after the time of cooling off without a review by people. Only where the schedule's code of practice allows it: Scotland's does, England's does not."`
}

// Mail says who takes the mail that tells staff that something waits. Without
// a server none is sent.
type Mail struct {
	Server       string `env:"WARDSEAL_MAIL_SERVER" placeholder:"HOST:PORT" help:"SMTP server; port 465 for TLS from the start, another for STARTTLS, which must succeed."`
	From         string `env:"WARDSEAL_MAIL_FROM" placeholder:"ADDRESS" help:"Sender's address."`
	Username     string `env:"WARDSEAL_MAIL_USERNAME" help:"User name at the server, if it wants one."`
	PasswordFile string `type:"path" env:"WARDSEAL_MAIL_PASSWORD_FILE" help:"File that holds the password at the server."`
	CAFile       string `type:"path" env:"WARDSEAL_MAIL_CA_FILE" help:"Certificate authority (PEM) that the server's certificate is checked against, if not a public one."`
	Plain        bool   `env:"WARDSEAL_MAIL_PLAIN" help:"Speak without TLS, to a relay on this machine."`
}

// Database says where the metadata is.
type Database struct {
	Driver  string `enum:"sqlite,postgres" default:"sqlite" env:"WARDSEAL_DATABASE_DRIVER" help:"sqlite (one server) or postgres (any number of them)."`
	URLFile string `type:"path" env:"WARDSEAL_DATABASE_URL_FILE" help:"File that holds the PostgreSQL URL, password and all."`
}

// Objects says where the encrypted pictures are.
type Objects struct {
	Kind          string `enum:"filesystem,s3" default:"filesystem" env:"WARDSEAL_OBJECTS_KIND" help:"filesystem (under the data folder) or s3."`
	Endpoint      string `env:"WARDSEAL_OBJECTS_ENDPOINT" help:"Host and port of the S3 server."`
	Bucket        string `env:"WARDSEAL_OBJECTS_BUCKET" help:"Bucket; it must exist."`
	Region        string `default:"us-east-1" env:"WARDSEAL_OBJECTS_REGION" help:"Region of the bucket."`
	AccessKey     string `env:"WARDSEAL_OBJECTS_ACCESS_KEY" help:"Access key identifier."`
	SecretKeyFile string `type:"path" env:"WARDSEAL_OBJECTS_SECRET_KEY_FILE" help:"File that holds the secret key."`
	CAFile        string `type:"path" env:"WARDSEAL_OBJECTS_CA_FILE" help:"Certificate authority (PEM) that the S3 server's certificate is checked against, if not a public one."`
	Lock          bool   `env:"WARDSEAL_OBJECTS_LOCK" help:"Lock each object (S3 Object Lock, compliance mode) until its item may be reviewed, and put legal holds on objects under a hold. The bucket must have been made with locks. What is locked cannot be deleted earlier by anybody: an erasure before that day destroys the keys, and the ciphertext stays until then."`
	Insecure      bool   `env:"WARDSEAL_OBJECTS_INSECURE" help:"Speak plain HTTP to the S3 server. Only for tests on one machine."`
}

// Keys says where the keys at the top are.
type Keys struct {
	RootFile         string `type:"path" env:"WARDSEAL_KEYS_ROOT_FILE" help:"File with the root identities (age, hybrid). Default: keys/root.txt in the data folder. Instead of a file, the environment variable WARDSEAL_KEYS_ROOT may hold them, or the systemd credential wardseal-root."`
	RootIdentityFile string `type:"path" env:"WARDSEAL_KEYS_ROOT_IDENTITY_FILE" help:"When the root file is itself encrypted with age: a file with the identities that open it, such as those of a plugin for a TPM, a YubiKey or a key service. The plugin must be on the PATH and ask nothing."`
	EscrowFile       string `type:"path" env:"WARDSEAL_KEYS_ESCROW_FILE" help:"File with the escrow recipients; their identities stay offline. Default: keys/escrow.txt in the data folder."`
}

// Limits bound what is accepted.
type Limits struct {
	MaxUploadBytes int64         `default:"2147483648" env:"WARDSEAL_MAX_UPLOAD_BYTES" help:"Largest photo or video, in bytes (default 2 GB)."`
	MaxPixels      int64         `default:"50000000" env:"WARDSEAL_MAX_PIXELS" help:"Largest picture, in pixels (default 50 megapixels)."`
	OverdueAfter   time.Duration `default:"4h" env:"WARDSEAL_OVERDUE_AFTER" help:"Mark a question that nobody of those asked has opened for this long."`
	EmergencyFor   time.Duration `default:"1h" env:"WARDSEAL_EMERGENCY_FOR" help:"How long an emergency access to a patient of other teams lasts."`
	NoSound        bool          `env:"WARDSEAL_NO_SOUND" help:"Always remove the sound of videos, whatever the uploader chose: a voice can name a patient."`
	SpoolMemory    int64         `default:"33554432" env:"WARDSEAL_SPOOL_MEMORY" help:"Memory for uploads being received, in bytes; what does not fit goes encrypted to the spool folder (default 32 MB)."`
	NoDerivatives  bool          `env:"WARDSEAL_NO_DERIVATIVES" help:"Make no previews and thumbnails on this server; another one must."`
	UploadsFor     time.Duration `default:"168h" env:"WARDSEAL_UPLOADS_FOR" help:"An upload that can be resumed is kept this long after its last part (default 7 days)."`
	UploadsOpen    int           `default:"20" env:"WARDSEAL_UPLOADS_OPEN" help:"How many uploads one person may have on their way."`
	ScrubEvery     time.Duration `default:"720h" env:"WARDSEAL_SCRUB_EVERY" help:"Every stored object is read and authenticated once in this time, little by little (default 30 days); 0 leaves them unread."`
	StopWithin     time.Duration `default:"60s" env:"WARDSEAL_STOP_WITHIN" help:"How long a stop waits for uploads in flight."`
}

// Sessions bound how long people stay signed in.
type Sessions struct {
	SessionFor time.Duration `default:"8h" env:"WARDSEAL_SESSION_FOR" help:"A session ends this long after sign-in."`
	IdleFor    time.Duration `default:"15m" env:"WARDSEAL_IDLE_FOR" help:"A session ends after this long without a request."`
	LockAfter  int           `default:"10" env:"WARDSEAL_LOCK_AFTER" help:"Failed sign-ins in a row that lock an account."`
	LockFor    time.Duration `default:"15m" env:"WARDSEAL_LOCK_FOR" help:"How long an account stays locked."`

	Providers string `name:"sign-in-providers" type:"path" env:"WARDSEAL_SIGN_IN_PROVIDERS" placeholder:"FILE" help:"Where else staff sign in (OpenID Connect), and what their groups there make of them here (YAML; see docs/operations.md). Default: here alone."`

	SecondFactorFor []string `default:"records-officer,auditor,administrator" env:"WARDSEAL_SECOND_FACTOR_FOR" help:"Roles that need a second step at sign-in (a passkey or the codes of an app), or none."`
}

func (s Sessions) config() signin.Config {
	c := signin.Config{SessionFor: s.SessionFor, IdleFor: s.IdleFor, LockAfter: s.LockAfter, LockFor: s.LockFor}
	for _, r := range s.SecondFactorFor {
		if r != "none" {
			c.FactorFor = append(c.FactorFor, access.Role(r))
		}
	}
	return c
}

// Default is the embedded default over a data folder: SQLite, the filesystem,
// and the limits that the command line documents. No role needs a second factor
// in it: that is the command line's default, for real people.
func Default(data string) Config {
	c := Config{
		Data: data, Listen: "127.0.0.1:8080", Operations: "127.0.0.1:9090", PublicURL: "http://localhost:8080",
		Database: Database{Driver: "sqlite"}, Objects: Objects{Kind: "filesystem", Region: "us-east-1"},
		Limits: Limits{MaxUploadBytes: 2 << 30, MaxPixels: 50_000_000, SpoolMemory: 32 << 20, StopWithin: time.Minute, OverdueAfter: 4 * time.Hour, EmergencyFor: time.Hour, UploadsFor: 7 * 24 * time.Hour, UploadsOpen: 20, ScrubEvery: 30 * 24 * time.Hour},
	}
	s := signin.DefaultConfig()
	c.Records.CoolingOff = 7 * 24 * time.Hour
	c.Sessions = Sessions{SessionFor: s.SessionFor, IdleFor: s.IdleFor, LockAfter: s.LockAfter, LockFor: s.LockFor}
	return c
}

// Check reports everything that is missing or contradicts itself, so that one
// start shows all there is to put right. (A method named Validate would be
// called by the command line's parser, before a command could complete it.)
func (c Config) Check() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if c.Data == "" {
		bad("--data is missing: say which folder to keep things in")
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Path != "" {
		bad("--public-url must be like https://wardseal.example, without a path")
	} else if u.Scheme != "https" && !(u.Scheme == "http" && local(u.Hostname())) {
		bad("--public-url must be https: session cookies are not sent otherwise")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		bad("--tls-cert and --tls-key go together")
	}
	if c.Database.Driver == "postgres" && c.Database.URLFile == "" {
		bad("--database-url-file is missing: PostgreSQL needs a URL")
	}
	if c.Objects.Kind == "s3" {
		for _, need := range []struct{ name, value string }{
			{"endpoint", c.Objects.Endpoint}, {"bucket", c.Objects.Bucket}, {"access-key", c.Objects.AccessKey}, {"secret-key-file", c.Objects.SecretKeyFile},
		} {
			if need.value == "" {
				bad("--objects-%s is missing: an S3 store needs it", need.name)
			}
		}
	}
	if c.Objects.Lock && c.Objects.Kind != "s3" {
		bad("--objects-lock needs an S3 store")
	}
	for _, err := range c.Audit.check(c.Objects) {
		bad("%w", err)
	}
	if err := c.Traces.check(); err != nil {
		errs = append(errs, err)
	}
	if c.Limits.MaxUploadBytes < 1 || c.Limits.MaxPixels < 1 || c.Limits.SpoolMemory < 1<<20 {
		bad("the limits must be positive, and the spool memory at least 1 MB")
	}
	if c.Limits.UploadsFor < time.Second || c.Limits.UploadsOpen < 1 {
		bad("uploads must be kept for a while, and one person must be able to have one open")
	}
	if c.Limits.ScrubEvery < 0 {
		bad("--scrub-every cannot be negative")
	}
	if err := c.Sessions.config().Validate(); err != nil {
		errs = append(errs, err)
	}
	if r := c.Records; r.Backups < 0 || r.CoolingOff < 0 {
		bad("times of disposal cannot be negative")
	} else if r.Backups > 0 && r.Organisation == "" {
		bad("--organisation is missing: certificates of destruction name it")
	} else if r.Schedule != "" && r.Jurisdiction == "" {
		bad("--retention-schedule needs --jurisdiction")
	} else if r.Automatic && r.Jurisdiction == string(retention.England) {
		bad("--disposal-automatic is not allowed in England, whose code of practice wants a review by people")
	}
	return errors.Join(errs...)
}

func local(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// path gives a setting, or its default in the data folder.
func (c Config) path(set string, inData ...string) string {
	if set != "" {
		return set
	}
	return filepath.Join(append([]string{c.Data}, inData...)...)
}

// RootFile and EscrowFile are where the keys at the top are.
func (c Config) RootFile() string   { return c.path(c.Keys.RootFile, "keys", "root.txt") }
func (c Config) EscrowFile() string { return c.path(c.Keys.EscrowFile, "keys", "escrow.txt") }

// secretFile reads a file that only its owner may read, without the space
// around what is in it.
func secretFile(path string) (string, error) {
	text, err := secretFileWhole(path)
	return strings.TrimSpace(text), err
}

func secretFileWhole(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 && !strings.HasPrefix(path, "/run/secrets/") {
		return "", fmt.Errorf("%s may be read by others: set its mode to 0600", path)
	}
	b, err := os.ReadFile(path)
	return string(b), err
}
