package failure

import (
	"context"
	randv2 "math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// However often PostgreSQL is killed amid uploads and views: what was
// acknowledged is there once, views are answered with the picture or with words,
// and all goes on by itself.
func TestDatabaseKilled(t *testing.T) {
	t.Parallel()
	db := servers.NewDatabase(t)
	d := deploy(t, "postgres+s3", func(c *config.Config) { c.Database.URLFile = secret(t, c.Data, "url", db.Fresh(t)) })
	d.database = db.Folder
	s := d.serve()
	nurse := signIn(t, d.url(), "nurse")
	nurse.register()
	l := &load{t: t, most: 20, pause: 20 * time.Millisecond, send: func(_ int, pic picture, key string) (string, answer) { return nurse.upload(pic, key) }}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	stop, wait := l.phones(3)
	var v views
	var watching sync.WaitGroup
	for range 2 {
		watching.Go(func() { v.watch(ctx, l, nurse.picture, false) })
	}
	kills := times(t, "DATABASE_KILLS", 3)
	var recovered time.Duration
	for range kills {
		time.Sleep(time.Duration(randv2.Int64N(int64(600 * time.Millisecond))))
		db.Kill(t)
		time.Sleep(time.Duration(randv2.Int64N(int64(300 * time.Millisecond))))
		db.Start(t)
		began := time.Now()
		waitFor(t, "an item is listed again", func() bool { return nurse.send("GET", "/items?limit=1", nil).status == 200 })
		recovered = max(recovered, time.Since(began))
	}
	stop()
	wait()
	end()
	watching.Wait()
	t.Logf("PostgreSQL killed %d times: %d views shown, %d told to try again; it serves at most %s after PostgreSQL does", kills, v.shown.Load(), v.refused.Load(), recovered.Round(time.Millisecond))
	if v.shown.Load() == 0 || recovered > soon {
		t.Error("views do not go on")
	}
	l.check(d)
	s.Signal(syscall.SIGKILL)
	s.Wait()
	l.leftovers(d)
}
