// Command testreport prints the events of `go test -json` in the format of `go test`:
// one line for each package, and the output of the failed tests.
//
//	go test -json ./... | testreport -save events.json
//	testreport events.json
//	testreport -slowest 10 *.json
//
// The second form prints only the lines of packages, for a run that has printed its
// failures and saved its events, such as `ginkgo --gojson-report`. The third form prints
// only the slowest tests of saved runs.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is an event of test2json.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

func main() {
	save := flag.String("save", "", "file that the events are copied to")
	slowest := flag.Int("slowest", 0, "print only this number of the slowest tests")
	flag.Parse()
	if err := run(flag.Args(), *save, *slowest); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

func run(files []string, save string, slowest int) error {
	r := newReport(os.Stdout)
	if slowest > 0 {
		r.out = io.Discard
	}
	if len(files) == 0 {
		from := io.Reader(os.Stdin)
		if save != "" {
			copied, err := os.Create(save)
			if err != nil {
				return err
			}
			defer copied.Close()
			from = io.TeeReader(from, copied)
		}
		if err := r.read(from); err != nil {
			return err
		}
	}
	r.linesOnly = len(files) > 0
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := r.read(file); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if slowest > 0 {
		r.printSlowest(os.Stdout, slowest)
	}
	return nil
}

// report collects events and prints results as they arrive.
type report struct {
	out io.Writer
	// linesOnly omits the output of tests.
	linesOnly bool
	// output contains the output that is not printed yet, by package and test.
	output map[test]*strings.Builder
	took   map[test]float64
}

// test is a test of a package. The package itself has an empty name.
type test struct{ pkg, name string }

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[test]*strings.Builder{}, took: map[test]float64{}}
}

// read reads events, one per line. A line that is not an event is printed unchanged.
func (r *report) read(from io.Reader) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprint(r.out, string(line))
			} else {
				r.add(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	of := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if r.linesOnly {
			return
		}
		if r.output[of] == nil {
			r.output[of] = &strings.Builder{}
		}
		r.output[of].WriteString(e.Output)
	case "pass", "fail", "skip":
		r.end(of, e)
	}
}

// end prints the result of a test or a package.
func (r *report) end(of test, e event) {
	failed := e.Action == "fail"
	if of.name != "" {
		r.took[of] = e.Elapsed
		if failed {
			r.print(of)
		}
		delete(r.output, of)
		return
	}
	if failed {
		r.printPackage(of.pkg)
		fmt.Fprintf(r.out, "FAIL\t%s\t%.3fs\n", of.pkg, e.Elapsed)
	} else if e.Action == "pass" {
		fmt.Fprintf(r.out, "ok  \t%s\t%.3fs\n", of.pkg, e.Elapsed)
	}
}

func (r *report) print(of test) {
	if text := r.output[of]; text != nil {
		fmt.Fprint(r.out, text.String())
		delete(r.output, of)
	}
}

// printPackage prints the remaining output of a failed package, which includes the output of tests
// that have not ended.
func (r *report) printPackage(pkg string) {
	var left []test
	for of := range r.output {
		if of.pkg == pkg {
			left = append(left, of)
		}
	}
	slices.SortFunc(left, func(a, b test) int { return cmp.Compare(a.name, b.name) })
	for _, of := range left {
		if of.name != "" {
			r.print(of)
			continue
		}
		for line := range strings.Lines(r.output[of].String()) {
			if !strings.HasPrefix(line, "FAIL") && !strings.HasPrefix(line, "PASS") {
				fmt.Fprint(r.out, line)
			}
		}
	}
}

// printSlowest prints the slowest tests, except tests with subtests.
func (r *report) printSlowest(out io.Writer, count int) {
	parents := map[test]bool{}
	for of := range r.took {
		for i, c := range of.name {
			if c == '/' {
				parents[test{of.pkg, of.name[:i]}] = true
			}
		}
	}
	var all []test
	for of := range r.took {
		if !parents[of] {
			all = append(all, of)
		}
	}
	slices.SortFunc(all, func(a, b test) int {
		return cmp.Or(-cmp.Compare(r.took[a], r.took[b]), cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.name, b.name))
	})
	fmt.Fprintf(out, "slowest tests:\n")
	for _, of := range all[:min(count, len(all))] {
		pkg := of.pkg[strings.Index(of.pkg, "/operator/")+1:]
		fmt.Fprintf(out, "%7.1fs  %s  %s\n", r.took[of], strings.TrimPrefix(pkg, "operator/"), of.name)
	}
}
