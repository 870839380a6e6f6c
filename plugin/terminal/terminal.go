// Package terminal asks the user of a terminal questions.
package terminal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"
)

// exitInterrupted is the exit code after Ctrl-C.
const exitInterrupted = 130

// Terminal reads answers from a terminal. Questions are written to another stream, so that the
// standard output contains results only.
type Terminal struct {
	in    *os.File
	lines *bufio.Reader
	out   io.Writer
}

// New returns a Terminal.
func New(in *os.File, out io.Writer) *Terminal {
	return &Terminal{in: in, lines: bufio.NewReader(in), out: out}
}

// IsTerminal reports whether a file is a terminal.
func IsTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }

// ReadLine prints a question and returns the line that the user types.
func (t *Terminal) ReadLine(question string) (string, error) {
	fmt.Fprint(t.out, question)
	line, err := t.lines.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

// ReadPassword prints a question and returns the line that the user types, without showing it.
func (t *Terminal) ReadPassword(question string) (string, error) {
	fmt.Fprint(t.out, question)
	state, err := term.GetState(int(t.in.Fd()))
	if err != nil {
		return "", err
	}
	stop := t.restoreOnInterrupt(state)
	defer stop()
	text, err := term.ReadPassword(int(t.in.Fd()))
	fmt.Fprintln(t.out)
	return string(text), err
}

// restoreOnInterrupt makes Ctrl-C restore the state of the terminal before it ends the program, until
// the returned function is called. Otherwise the shell would not show what the user types.
func (t *Terminal) restoreOnInterrupt(state *term.State) func() {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt)
	go func() {
		select {
		case <-signals:
			fmt.Fprintln(t.out)
			if err := term.Restore(int(t.in.Fd()), state); err != nil {
				fmt.Fprintln(t.out, "error: restore the terminal:", err)
			}
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
