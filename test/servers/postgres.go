package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is a running PostgreSQL.
type Database struct {
	Folder string // where it keeps everything

	port     int
	password string
	durable  bool
	cmd      *exec.Cmd
	ended    chan struct{}
}

var postgres struct {
	sync.Mutex
	*Database
	template string
}

// Postgres gives the URL of a fresh, empty database on a real PostgreSQL.
func Postgres(tb testing.TB) string {
	tb.Helper()
	postgres.Lock()
	defer postgres.Unlock()
	if postgres.Database == nil {
		postgres.Database = newDatabase(tb, false)
	}
	return postgres.Fresh(tb)
}

// PostgresCopy is Postgres with a copy of a database that fill was given empty,
// once in the life of the tests.
func PostgresCopy(tb testing.TB, fill func(url string)) string {
	tb.Helper()
	postgres.Lock()
	defer postgres.Unlock()
	if postgres.Database == nil {
		postgres.Database = newDatabase(tb, false)
	}
	if postgres.template == "" {
		url := postgres.Fresh(tb)
		fill(url)
		postgres.template = path.Base(strings.TrimSuffix(url, "?"+options))
	}
	return postgres.fresh(tb, " TEMPLATE "+postgres.template)
}

// PostgresFolder is where the server of Postgres keeps everything.
func PostgresFolder(tb testing.TB) string {
	tb.Helper()
	Postgres(tb)
	return postgres.Folder
}

// NewDatabase starts a PostgreSQL of the test's own, which keeps what it has
// committed when it is killed, as one in use does.
func NewDatabase(tb testing.TB) *Database {
	tb.Helper()
	return newDatabase(tb, true)
}

func newDatabase(tb testing.TB, durable bool) *Database {
	tb.Helper()
	d := &Database{Folder: folder(tb), port: FreePort(tb), password: rand.Text(), durable: durable}
	secret := filepath.Join(d.Folder, "password")
	if err := os.WriteFile(secret, []byte(d.password+"\n"), 0o644); err != nil { // read by another user; the folder is closed to the rest
		tb.Fatal(err)
	}
	cmd := exec.Command(Binary(tb, "initdb", versions()...), "-D", filepath.Join(d.Folder, "data"), "-U", "wardseal", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale", "C", "-N")
	unprivileged(tb, cmd, "postgres", d.Folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	d.Start(tb)
	return d
}

// Start starts it, for the first time or after Kill, and waits until it
// answers.
func (d *Database) Start(tb testing.TB) {
	tb.Helper()
	args := []string{"-D", filepath.Join(d.Folder, "data"), "-k", d.Folder, "-h", "127.0.0.1", "-p", strconv.Itoa(d.port), "-c", "max_connections=300"}
	if !d.durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	cmd := exec.Command(Binary(tb, "postgres", versions()...), args...)
	unprivileged(tb, cmd, "postgres", d.Folder)
	d.cmd = cmd
	d.ended = Start(tb, cmd, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, d.url("postgres"))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// Kill kills all of its processes, which have no time for anything.
func (d *Database) Kill(tb testing.TB) {
	tb.Helper()
	children := childrenOf(tb, d.cmd.Process.Pid)
	_ = d.cmd.Process.Kill()
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-d.ended
	for range 200 { // it does not start again while one of them lives
		children = slices.DeleteFunc(children, func(pid int) bool { return syscall.Kill(pid, 0) != nil })
		if len(children) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Fatalf("processes %v of PostgreSQL do not end", children)
}

func childrenOf(tb testing.TB, parent int) (pids []int) {
	tb.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		tb.Fatal(err)
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), ") ") // after the name: state and parent
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				tb.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// Fresh gives the URL of a fresh, empty database on it.
func (d *Database) Fresh(tb testing.TB) string {
	tb.Helper()
	return d.fresh(tb, "")
}

func (d *Database) fresh(tb testing.TB, how string) string {
	tb.Helper()
	name := "w" + strings.ToLower(rand.Text()[:12])
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.url("postgres"))
	if err != nil {
		tb.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+how); err != nil {
		tb.Fatalf("make a database: %v", err)
	}
	return d.url(name)
}

const options = "sslmode=disable"

func (d *Database) url(database string) string {
	return fmt.Sprintf("postgres://wardseal:%s@127.0.0.1:%d/%s?%s", d.password, d.port, database, options)
}

// versions lists where Debian keeps PostgreSQL's programs, newest first.
func versions() []string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Sort(sort.Reverse(sort.StringSlice(dirs)))
	return dirs
}
