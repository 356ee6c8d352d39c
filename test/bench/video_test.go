package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/test/servers"
)

const rangeBytes = 1 << 20

// video makes an MP4 of about so many megabytes: seconds of noise that a codec
// cannot compress, over and over.
func video(b *testing.B, megabytes int) *os.File {
	b.Helper()
	ffmpeg, dir := servers.Binary(b, "ffmpeg"), b.TempDir()
	run := func(args ...string) {
		if out, err := exec.Command(ffmpeg, append([]string{"-hide_banner", "-v", "error", "-y"}, args...)...).CombinedOutput(); err != nil {
			b.Fatalf("ffmpeg: %v\n%s", err, out)
		}
	}
	piece, whole := filepath.Join(dir, "piece.mp4"), filepath.Join(dir, "video.mp4")
	run("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25,noise=alls=60:allf=t", "-f", "lavfi", "-i", "sine=frequency=440", "-t", "2",
		"-c:v", "mpeg4", "-b:v", "80M", "-maxrate", "80M", "-minrate", "80M", "-bufsize", "160M", "-qmin", "1", "-c:a", "aac", piece)
	info, err := os.Stat(piece)
	if err != nil {
		b.Fatal(err)
	}
	run("-stream_loop", strconv.Itoa(int(int64(megabytes)<<20/info.Size())), "-i", piece, "-map", "0", "-c", "copy", "-metadata", "title=WARD", whole)
	f, err := os.Open(whole)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return f
}

func size(b *testing.B, f *os.File) int64 {
	b.Helper()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// videos compares random ranges of a 200 MB video, and prints what a 1 GB one
// takes of the server's memory.
func videos(b *testing.B, t *table, kind string, h *house, r raw, reads string) {
	f := video(b, 200)
	n := size(b, f)
	item, err := h.upload("v.mp4", io.NewSectionReader(f, 0, n), n)
	if err == nil {
		err = r.keep("video", io.NewSectionReader(f, 0, n), n)
	}
	if err != nil {
		b.Fatal(err)
	}
	at := func() int64 { return rand.Int64N(n - 2*rangeBytes) }
	t.compare(b, "view 1 MiB ranges of a 200 MB video, "+kind, func(int) error {
		off := at()
		return h.view(item, rangeBytes, "Range", fmt.Sprintf("bytes=%d-%d", off, off+rangeBytes-1))
	}, reads, func(int) error { return r.get("video", at(), rangeBytes) }, viewAim[kind])

	f = video(b, 1024)
	n = size(b, f)
	base := peak(b, h.PID)
	item, err = h.upload("v.mp4", bufio.NewReaderSize(io.NewSectionReader(f, 0, n), 1<<20), n)
	if err != nil {
		b.Fatal(err)
	}
	up := peak(b, h.PID)
	if got, err := h.do("GET", "/items/"+item+"/renditions/original-clean", io.Discard); err != nil || got < n/2 {
		b.Fatalf("%d bytes came back of %d: %v", got, n, err)
	}
	down := peak(b, h.PID)
	t.memory = append(t.memory, fmt.Sprintf("a %d MB video, %s: peak memory of the server %d MB going up, %d MB coming down (before: %d MB; aim: under 150 MB)",
		n>>20, kind, up, down, base))
	if up >= 150 || down >= 150 {
		b.Error("over the aim: " + t.memory[len(t.memory)-1])
	}
}

// BenchmarkPlayable prints what making a 1 GB video playable takes of the memory
// of the server, and of the video tool's process beside it.
func BenchmarkPlayable(b *testing.B) {
	h := openWith(b, nil, false)
	f := video(b, 1024)
	n := size(b, f)
	item, err := h.upload("v.mp4", bufio.NewReaderSize(io.NewSectionReader(f, 0, n), 1<<20), n)
	if err != nil {
		b.Fatal(err)
	}
	_ = peak(b, h.PID)
	began, tool, made := time.Now(), int64(0), api.ItemDetail{}
	for made.Deriving = "waiting"; made.Deriving == "waiting"; time.Sleep(time.Second) {
		tool = max(tool, resident(children(b, h.PID)))
		h.json(b, "GET", "/items/"+item, nil, &made)
	}
	if made.Deriving != "done" {
		b.Fatalf("%s: %s", made.Deriving, made.Reason)
	}
	fmt.Printf("a %d MB video made playable in %s: peak memory of the server %d MB, of ffmpeg %d MB\n", n>>20, time.Since(began).Round(time.Second), peak(b, h.PID), tool)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAtOnce prints the server's memory where very many come at once: what
// each takes must not add up.
func BenchmarkAtOnce(b *testing.B) {
	srv := servers.VersityGW(b)
	h := open(b, &srv)
	film, still := video(b, 150), photo(b)
	bytesOfFilm := size(b, film)
	item, err := h.upload("a.jpg", bytes.NewReader(still), int64(len(still)))
	if err != nil {
		b.Fatal(err)
	}
	clean, err := h.do("GET", "/items/"+item+"/renditions/original-clean", io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	for _, turn := range []struct {
		what string
		n    int
		do   func() error
	}{
		{"4 MB photos going up", 100, func() error {
			_, err := h.upload("a.jpg", bytes.NewReader(still), int64(len(still)))
			return err
		}},
		{"4 MB photos coming down", 100, func() error { return h.view(item, clean) }},
		{"150 MB videos going up", 24, func() error {
			_, err := h.upload("a.mp4", io.NewSectionReader(film, 0, bytesOfFilm), bytesOfFilm)
			return err
		}},
	} {
		var all sync.WaitGroup
		for range turn.n {
			all.Go(func() {
				if err := turn.do(); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
		fmt.Printf("%d %s at once: peak memory of the server %d MB\n", turn.n, turn.what, peak(b, h.PID))
	}
	b.ReportMetric(0, "ns/op")
}

// children are the processes that a process started and that are still there.
func children(b *testing.B, pid int) (pids []int) {
	b.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list) // its thread may have ended
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// resident gives the highest resident memory in MB that one of the processes had.
func resident(pids []int) (most int64) {
	for _, pid := range pids {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may have ended
		if _, line, ok := bytes.Cut(status, []byte("VmHWM:")); ok {
			kb, _ := strconv.ParseInt(strings.Fields(string(line))[0], 10, 64)
			most = max(most, kb>>10)
		}
	}
	return most
}

// peak gives the highest resident memory of a process in MB since it was last
// asked, and begins anew.
func peak(b *testing.B, pid int) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, line, _ := bytes.Cut(status, []byte("VmHWM:"))
	kb, err := strconv.ParseInt(strings.Fields(string(line))[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
	return kb >> 10
}
