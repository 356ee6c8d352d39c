package meta

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialect is every difference between the two databases.
type dialect struct {
	goose      goose.Dialect
	now        string // the clock, in microseconds
	skipLocked string // passes over rows that another transaction holds
	purge      string // lets go of what was deleted from wrapped_keys
	bytes      string // the type of bytes in a cast
	numbered   bool   // placeholders are $1, $2 and not ?
	settle     string // what a schema needs beyond its migrations; may be repeated
	columns    string // lists tables, columns, types and the place in the primary key
	references string // lists tables, columns and the tables they refer to
	snapshot   sql.TxOptions
	migrating  func() []goose.ProviderOption
	code       func(error) error // the sentinel of a driver's error, or nil
}

func openSQLite(path string) (*Store, error) {
	// The file is made first, so that nobody else can ever read it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	dsn := func(more string) string {
		return "file:" + escape(path) +
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=secure_delete(1)" + more
	}
	w, err := sql.Open("sqlite", dsn("&_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	w.SetMaxOpenConns(1)
	r, err := sql.Open("sqlite", dsn("&_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	r.SetMaxOpenConns(8)
	r.SetMaxIdleConns(8)
	return &Store{
		w: w, r: r, closing: func() error { return errors.Join(r.Close(), w.Close()) },
		d: dialect{
			goose: goose.DialectSQLite3, purge: "PRAGMA wal_checkpoint(TRUNCATE)", bytes: "BLOB", now: "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
			columns: sqliteColumns, references: sqliteReferences,
			migrating: func() []goose.ProviderOption { return nil }, code: sqliteCode,
		},
	}, nil
}

// escape keeps a path with odd characters from being read as part of the URI.
func escape(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

func openPostgres(url string) (*Store, error) {
	db, err := connectPostgres(url)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(16)
	db.SetConnMaxLifetime(30 * time.Minute)
	return &Store{
		w: db, r: db, closing: db.Close,
		d: dialect{
			goose: goose.DialectPostgres, purge: "VACUUM wrapped_keys", bytes: "bytea", now: "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
			skipLocked: "FOR UPDATE SKIP LOCKED", numbered: true, code: postgresCode, settle: postgresSettle,
			columns: postgresColumns, references: postgresReferences, snapshot: sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
			migrating: func() []goose.ProviderOption {
				l, err := lock.NewPostgresSessionLocker()
				if err != nil {
					panic(err) // no option was given that could be wrong
				}
				return []goose.ProviderOption{goose.WithSessionLocker(l)}
			},
		},
	}, nil
}

// text gives a query in the database's own words: {now} is its clock, {skip}
// passes over locked rows, {bytes} is the type of bytes, and ? is a placeholder.
func (s *Store) text(query string) string {
	if t, ok := s.texts.Load(query); ok {
		return t.(string)
	}
	t := strings.NewReplacer("{now}", s.d.now, "{skip}", s.d.skipLocked, "{bytes}", s.d.bytes).Replace(query)
	if s.d.numbered {
		parts := strings.Split(t, "?")
		var b strings.Builder
		for i, p := range parts {
			if i > 0 {
				b.WriteString("$" + strconv.Itoa(i))
			}
			b.WriteString(p)
		}
		t = b.String()
	}
	s.texts.Store(query, t)
	return t
}

// classify wraps an error of the driver in the sentinel that callers know.
func (d dialect) classify(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{ErrNotFound, ErrExists, ErrUnavailable, ErrFull, ErrExpired, ErrRevoked, ErrSpent, ErrKeyInUse} {
		if errors.Is(err, known) {
			return err
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if s := d.code(err); s != nil {
		return fmt.Errorf("%w: %w", s, err)
	}
	var ne net.Error
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	if errors.As(err, &ne) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	for _, broken := range []error{driver.ErrBadConn, sql.ErrConnDone, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, broken) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return err
}

func sqliteCode(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch code := e.Code(); {
	case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return ErrExists
	case code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return ErrNotFound
	case code&0xff == sqlite3.SQLITE_FULL:
		return ErrFull
	case code&0xff == sqlite3.SQLITE_BUSY, code&0xff == sqlite3.SQLITE_IOERR, code&0xff == sqlite3.SQLITE_CANTOPEN, code&0xff == sqlite3.SQLITE_READONLY,
		code&0xff == sqlite3.SQLITE_CORRUPT: // which it also says of a page that the disk did not give
		return ErrUnavailable
	}
	return nil
}

func postgresCode(err error) error {
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) || pgconn.SafeToRetry(err) { // nothing was sent: the connection had broken before
		return ErrUnavailable
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return nil
	}
	switch {
	case e.Code == "23505": // unique_violation
		return ErrExists
	case e.Code == "23503": // foreign_key_violation
		return ErrNotFound
	case e.Code == "53100": // disk_full
		return ErrFull
	case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "53"), strings.HasPrefix(e.Code, "57P"),
		e.Code == "55P03", e.Code == "25P03": // lock_not_available, and a transaction that was ended for idling
		return ErrUnavailable
	}
	return nil
}
