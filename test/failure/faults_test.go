package failure

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// calls are the system calls with which an upload reaches the disk: of the
// spool, the object and the database, and with which it reads back.
var calls = []string{"write", "pwrite64", "fsync", "fdatasync", "linkat", "openat", "ftruncate", "unlinkat", "pread64"}

// broken runs do while the server's calls fail as strace's injection says.
func broken(t *testing.T, pid int, call, injection string, do func()) {
	t.Helper()
	said := filepath.Join(t.TempDir(), "said")
	out, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(servers.Binary(t, "strace"), "-f", "-p", strconv.Itoa(pid), "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+call+":"+injection)
	cmd.Stderr = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "strace holds the server", func() bool {
		b, _ := os.ReadFile(said)
		return strings.Contains(string(b), "attached")
	})
	do()
	_ = cmd.Process.Signal(syscall.SIGINT)                                    // it lets go
	stuck := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() }) // and if not, the kernel has it let go
	defer stuck.Stop()
	_ = cmd.Wait()
}

// nth lists which call of a thread fails; strace counts the calls of each.
func nth() []string {
	if full() {
		return []string{"1", "2", "3", "4", "5", "6", "8", "1+", "2+"}
	}
	return []string{"1", "1+"}
}

// Each call that writes fails with "no space" or "input/output error": the
// answer is right and comes soon, nothing is acknowledged that is not kept, and
// the same request is filed once the disk works again.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	d := deploy(t, "sqlite+filesystem", nil)
	s := d.serve()
	nurse := signIn(t, d.url(), "nurse")
	nurse.register()
	l := &load{t: t, files: map[string]picture{}, keys: map[string]int{}}
	counts := map[string]int{}
	var most time.Duration
	for _, call := range calls {
		for _, fault := range []string{"ENOSPC", "EIO"} {
			for i, when := range nth() {
				pic, key := photo(t, 200, 1<<20*(i%2)), rand.Text() // in memory, or through the disk
				var a answer
				var item string
				l.seen.of(pic)
				broken(t, s.PID, call, "error="+fault+":when="+when, func() { item, a = nurse.upload(pic, key) })
				l.attempts++
				most = max(most, a.took)
				switch {
				case item != "": // no call of this upload's that matters was hit
					l.files[item], l.keys[key] = pic, 1
					counts["kept"]++
				case a.err != nil: // the socket was hit
					counts["cut off"]++
				case a.status == http.StatusInsufficientStorage || a.status == http.StatusServiceUnavailable:
					counts[strconv.Itoa(a.status)]++
				default:
					t.Errorf("%s %s %s: %s", call, fault, when, a)
				}
				if a.took > soon {
					t.Errorf("%s %s %s: after %s", call, fault, when, a.took)
				}
				// Go wakes a thread of its own by a write, and ends the program where
				// that fails: whoever loses that one has been killed, no more.
				if call == "write" && s.Ended(time.Second) {
					counts["killed"]++
					s = d.serve()
				}
				again, b := nurse.upload(pic, key)
				for began := time.Now(); again == "" && time.Since(began) < soon; again, b = nurse.upload(pic, key) {
					time.Sleep(50 * time.Millisecond)
				}
				if again == "" || item != "" && again != item {
					t.Errorf("%s %s %s: again: %s", call, fault, when, b)
					continue
				}
				l.files[again], l.keys[key] = pic, 1
			}
		}
	}
	s.Signal(syscall.SIGKILL)
	s.Wait()
	s = d.serve()
	t.Logf("%d uploads with failing calls: %v; the longest answer took %s", l.attempts, counts, most.Round(time.Millisecond))
	if counts["503"] == 0 || counts["507"] == 0 {
		t.Errorf("hardly anything was hit: %v", counts)
	}
	l.check(d)
	s.Signal(syscall.SIGKILL)
	s.Wait()
	l.leftovers(d)
}

// Killed exactly at a call that writes, rather than at a moment.
func TestKilledAtSystemCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t, "sqlite+filesystem", nil)
	s := d.serve()
	nurse := signIn(t, d.url(), "nurse")
	nurse.register()
	l := &load{t: t, files: map[string]picture{}, keys: map[string]int{}}
	died := 0
	which, at := calls, []string{"1", "2", "3"}
	if !full() {
		which, at = []string{"pwrite64", "fdatasync", "linkat"}, at[:1]
	}
	for _, call := range which {
		for i, when := range at {
			pic, key := photo(t, 200, 1<<20*(i%2)), rand.Text()
			l.seen.of(pic)
			var item string
			var first answer
			broken(t, s.PID, call, "signal=KILL:when="+when, func() { item, first = nurse.upload(pic, key) })
			l.attempts++
			// One that was cut off is dead; one that has answered may be, by something else it did.
			if within := map[bool]time.Duration{true: 10 * time.Second, false: 200 * time.Millisecond}[first.err != nil]; s.Ended(within) {
				died++
				s = d.serve()
			}
			again, a := nurse.upload(pic, key)
			if again == "" || item != "" && item != again {
				t.Fatalf("killed at %s %s: again: %s", call, when, a)
			}
			l.files[again], l.keys[key] = pic, 1
		}
	}
	t.Logf("killed at %d system calls", died)
	if died < 2 {
		t.Error("it hardly ever died")
	}
	l.check(d)
	s.Signal(syscall.SIGKILL)
	s.Wait()
	l.leftovers(d)
}

// A disk of a few megabytes fills up: what does not fit is refused by that
// name, what was acknowledged stays, and all goes on once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk := mounted(t, dir, 24<<20)
	if disk == "" {
		t.Log("no disk can be mounted here: TestDiskFull of test/process stands in for it")
		return
	}
	d := deploy(t, "sqlite+filesystem", nil)
	data := filepath.Join(disk, "data")
	if out, err := exec.Command("cp", "-a", d.cfg.Data, data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cfg := config.Default(data)
	cfg.Limits = d.cfg.Limits
	d.cfg = cfg
	s := d.serve()
	nurse := signIn(t, d.url(), "nurse")
	nurse.register()
	filler := filepath.Join(disk, "filler")
	var room syscall.Statfs_t
	if err := syscall.Statfs(disk, &room); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filler, make([]byte, int64(room.Bavail)*room.Bsize-3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &load{t: t, files: map[string]picture{}, keys: map[string]int{}}
	refused := map[string]picture{}
	for n := 0; len(refused) < 12 && n < 100; n++ {
		pic, key := photo(t, 600, 0), rand.Text()
		l.seen.of(pic)
		l.attempts++
		item, a := nurse.upload(pic, key)
		switch {
		case item != "":
			l.files[item], l.keys[key] = pic, 1
		case a.err == nil && a.status == http.StatusInsufficientStorage && a.code() == "storage-full" && a.took <= soon:
			refused[key] = pic
		default:
			t.Errorf("on a full disk: %s", a)
			refused[key] = pic
		}
	}
	if len(l.files) == 0 || len(refused) < 12 {
		t.Errorf("%d filed and %d refused", len(l.files), len(refused))
	}
	for item, pic := range l.files {
		if a := nurse.picture(item); a.status != http.StatusServiceUnavailable && a.status != http.StatusInsufficientStorage && !bytes.Equal(a.body, pic.clean) {
			t.Errorf("a view on a full disk: %s", a)
		}
	}
	before := len(l.files)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for key, pic := range refused {
		item, a := nurse.upload(pic, key)
		if item == "" {
			t.Errorf("once there is room: %s", a)
		}
		l.files[item], l.keys[key] = pic, 1
	}
	t.Logf("on a full disk %d uploads were filed, then %d refused, and filed once there was room", before, len(refused))
	l.check(d)
	s.Signal(syscall.SIGKILL)
	s.Wait()
	l.leftovers(d)
}

// mounted gives a small ext4 file system, or "" where none may be mounted.
func mounted(t *testing.T, dir string, size int64) string {
	t.Helper()
	image, at := filepath.Join(dir, "disk.img"), filepath.Join(dir, "disk")
	err := os.WriteFile(image, nil, 0o600)
	if err == nil {
		err = os.Truncate(image, size)
	}
	if err == nil {
		err = os.Mkdir(at, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{{"mkfs.ext4", "-q", "-F", "-m", "0", image}, {"mount", "-o", "loop", image, at}} {
		if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
			t.Log(fmt.Sprint(line, ": ", err, ": ", string(out)))
			return ""
		}
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", at).Run() })
	return at
}
