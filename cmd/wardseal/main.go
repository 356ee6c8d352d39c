// Command wardseal moves clinical pictures safely. One binary: it serves, it
// administers, it cleans files offline, and it re-executes itself as the
// confined child that decodes pictures.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/internal/config"
)

type cli struct {
	Config kong.ConfigFlag `type:"path" placeholder:"FILE" help:"YAML file with settings, each named as its flag is without the dashes before it. Flags and the environment win over it."`

	Serve     serveCmd     `cmd:"" help:"Serve people and programs. Starts only if the configuration is whole."`
	Demo      demoCmd      `cmd:"" help:"Do the main job once, visibly, with fictitious people, then keep serving."`
	Strip     stripCmd     `cmd:"" help:"Clean files offline: remove every trace and keep the picture."`
	Receipt   receiptCmd   `cmd:"" help:"Check a signed receipt offline, and print what it says."`
	Retention retentionCmd `cmd:"" help:"Check certificates of destruction and retention schedules, offline."`
	Keys      keysCmd      `cmd:"" help:"Make, look at, rotate and recover keys, and release the key of one item."`
	User      userCmd      `cmd:"" help:"Add, list, unlock, suspend and restore members of staff; let them choose a password; look after API tokens."`
	Audit     auditCmd     `cmd:"" help:"Check the audit, and print what it records."`
	Fsck      fsckCmd      `cmd:"" help:"Compare what the database says is kept with what is, read every object, and repair what is safe."`
	Backup    backupCmd    `cmd:"" help:"Make a backup, encrypted and incremental, in a folder or a bucket."`
	Restore   restoreCmd   `cmd:"" help:"Restore a backup into an empty deployment, and read every item of it."`
	Access    accessCmd    `cmd:"" help:"Print the table of who may do what, as docs/access.md has it."`
	DataMap   dataMapCmd   `cmd:"" help:"Print what every column of the database holds, as docs/data-map.md has it."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// errQuiet ends with status 1 when all has been said already.
var errQuiet = errors.New("")

// statusError ends with a status of its own when all has been said already.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func main() {
	if len(os.Args) == 2 && os.Args[1] == config.ChildArgument {
		os.Exit(derive.Child(os.Stdin, os.Stdout))
	}
	if len(os.Args) > 2 && os.Args[1] == config.FilmArgument {
		os.Exit(derive.FilmChild(os.Args[2:]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process.
func run(args []string, stdout, stderr io.Writer) int {
	slog.SetDefault(slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: logLevel()})))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	status := 0
	exited := false
	parser, err := kong.New(&c, kong.Name("wardseal"), kong.Description("Encrypted transfer of clinical images."),
		kong.UsageOnError(), kong.Configuration(readConfigFile), kong.Writers(stdout, stderr),
		kong.Exit(func(n int) { status, exited = n, true }), kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)))
	if err != nil {
		fmt.Fprintln(stderr, "wardseal:", err)
		return 1
	}
	k, err := parser.Parse(args)
	if exited {
		return status
	}
	if err != nil {
		fmt.Fprintln(stderr, "wardseal:", err)
		return 2
	}
	err = k.Run()
	var s statusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &s):
		return int(s)
	case err == errQuiet:
		return 1
	}
	fmt.Fprintln(stderr, "wardseal:", err)
	return 1
}

func logLevel() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(os.Getenv("WARDSEAL_LOG_LEVEL"))); err != nil {
		return slog.LevelWarn
	}
	return l
}
