package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var postgres struct {
	sync.Mutex
	port     int
	password string
}

// Postgres gives the URL of a fresh, empty database on a real PostgreSQL.
func Postgres(tb testing.TB) string {
	tb.Helper()
	postgres.Lock()
	defer postgres.Unlock()
	if postgres.port == 0 {
		startPostgres(tb)
	}
	name := "w" + strings.ToLower(rand.Text()[:12])
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, postgresURL("postgres"))
	if err != nil {
		tb.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		tb.Fatalf("make a database: %v", err)
	}
	return postgresURL(name)
}

func postgresURL(database string) string {
	return fmt.Sprintf("postgres://wardseal:%s@127.0.0.1:%d/%s?sslmode=disable", postgres.password, postgres.port, database)
}

func startPostgres(tb testing.TB) {
	tb.Helper()
	initdb, server := Binary(tb, "initdb", versions()...), Binary(tb, "postgres", versions()...)
	dir := folder(tb)
	postgres.password = rand.Text()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(postgres.password+"\n"), 0o644); err != nil { // read by another user; the folder is closed to the rest
		tb.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	cmd := exec.Command(initdb, "-D", data, "-U", "wardseal", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale", "C", "-N")
	unprivileged(tb, cmd, "postgres", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	port := FreePort(tb)
	cmd = exec.Command(server, "-D", data, "-k", dir, "-h", "127.0.0.1", "-p", strconv.Itoa(port),
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=300")
	unprivileged(tb, cmd, "postgres", dir)
	postgres.port = port
	Start(tb, cmd, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, postgresURL("postgres"))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// versions lists where Debian keeps PostgreSQL's programs, newest first.
func versions() []string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Sort(sort.Reverse(sort.StringSlice(dirs)))
	return dirs
}
