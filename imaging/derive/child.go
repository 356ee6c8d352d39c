package derive

import (
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
)

// How a child ends when it gives no answer. The Go runtime itself uses
// exitCrash for panics and for running out of memory.
const (
	exitCrash   = 2
	exitRequest = 3
	exitConfine = 4
)

// Child is what the hidden subcommand runs, and all that it may run: call it
// before reading configuration or opening anything, with standard input and
// output, and exit with what it returns. It reads the Maker's request, gives up
// every right and most memory for good, and only then reads the picture. It
// changes limits of the whole process, so never call it in a server.
func Child(in io.Reader, out io.Writer) int {
	var req request
	if readHeader(in, &req) != nil || req.check() != nil {
		return exitRequest
	}
	// Few threads: each costs address space, and setting the number stops the
	// runtime from looking at the CPU quota's files, which are out of reach soon.
	runtime.GOMAXPROCS(min(4, runtime.GOMAXPROCS(0)))
	debug.SetMemoryLimit(req.Memory / 4 * 3)
	os.Stdout = os.Stderr // a decoder that prints must not get between the answer
	layers, err := confine(req.Memory, req.CPUSeconds)
	if err != nil {
		return exitConfine
	}
	a := answer{State: stateDone, Layers: layers}
	var pictures [][]byte
	if req.Probe {
		a.Reached = reach()
	} else if a, pictures, err = serve(req, in); err != nil {
		return exitRequest
	}
	if writeHeader(out, a) != nil {
		return exitRequest
	}
	for _, b := range pictures {
		if _, err := out.Write(b); err != nil {
			return exitRequest
		}
	}
	return 0
}

// serve reads the picture of req from in and answers for it. An error means
// that the picture did not arrive.
func serve(req request, in io.Reader) (answer, [][]byte, error) {
	// The length is the Maker's word, not the picture's, and it is bounded.
	data := make([]byte, req.Bytes)
	if _, err := io.ReadFull(in, data); err != nil {
		return answer{}, nil, err
	}
	a, pictures, err := draw(data, req)
	switch {
	case errors.Is(err, ErrBomb):
		return answer{State: stateBomb}, nil, nil
	case err != nil:
		return answer{State: stateUndecodable}, nil, nil
	}
	return a, pictures, nil
}
