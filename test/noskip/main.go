// Command noskip runs "go test" and, when CI is set, fails if any test was
// skipped: a skip there hides what was meant to be proved. At the end it names
// the tests that took longest, and says again what the race detector found: a
// race fails every test that runs beside it, and its report is far above.
//
//	go run ./test/noskip -- go test -race ./...
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // seconds
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) < 2 || args[0] != "go" || args[1] != "test" {
		fmt.Fprintln(os.Stderr, "usage: noskip -- go test ARGUMENTS")
		return 2
	}
	cmd := exec.Command("go", slices.Insert(args[1:], 1, "-json")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	passed, failed, skipped, took, race := tally(bufio.NewReader(out))
	status := 0
	if err := cmd.Wait(); err != nil {
		status = 1
	}
	slices.SortFunc(took, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, t := range took[:min(12, len(took))] {
		fmt.Printf("%7.1f s  %s\n", t.seconds, t.name)
	}
	if len(race) > 0 {
		fmt.Print("the first race:\n" + strings.Join(race, ""))
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, len(skipped))
	if len(skipped) > 0 && os.Getenv("CI") == "true" {
		fmt.Println("skipped, which is a failure here:\n  " + strings.Join(skipped, "\n  "))
		status = 1
	}
	return status
}

type timed struct {
	name    string
	seconds float64
}

// tally prints what people want to see, counts the tests and times those that
// are not part of another. Of races it gives the first one's report.
func tally(out *bufio.Reader) (passed, failed int, skipped []string, took []timed, race []string) {
	reporting := false
	logs := map[string][]string{} // output of a test, until it is known to have passed
	for {
		line, err := out.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) != nil {
			fmt.Print(string(line))
		}
		if e.Action == "output" {
			reporting = reporting || len(race) == 0 && strings.HasPrefix(e.Output, "WARNING: DATA RACE")
			if reporting {
				race = append(race, e.Output)
			}
			reporting = reporting && !strings.HasPrefix(e.Output, "======")
		}
		if key := e.Package + " " + e.Test; e.Test == "" {
			if e.Action == "output" && !strings.HasPrefix(e.Output, "PASS") {
				fmt.Print(e.Output)
			}
		} else {
			switch e.Action {
			case "output":
				logs[key] = append(logs[key], e.Output)
			case "pass":
				passed++
			case "fail":
				failed++
				fmt.Print(strings.Join(logs[key], ""))
			case "skip":
				skipped = append(skipped, key)
				fmt.Print(strings.Join(logs[key], ""))
			}
			if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
				if !strings.Contains(e.Test, "/") {
					took = append(took, timed{key, e.Elapsed})
				}
				delete(logs, key)
			}
		}
		if err != nil {
			return passed, failed, skipped, took, race
		}
	}
}
