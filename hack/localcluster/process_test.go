package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21"
	for _, c := range []struct {
		why, stat string
		started   uint64
		fails     bool
	}{
		{"the usual", "7 (etcd)" + rest, 4242, false},
		{"a name may look like what follows it", "7 (a) Z 1 (b)" + rest, 4242, false},
		{"cut off", "7 (etcd) S 1 2", 0, true},
		{"no name", "7", 0, true},
		{"a start that is no number", "7 (etcd)" + strings.Replace(rest, "4242", "x", 1), 0, true},
	} {
		state, started, err := parseStat([]byte(c.stat))
		if (err != nil) != c.fails || started != c.started || err == nil && state != "S" {
			t.Errorf("%s: got %q %d %v", c.why, state, started, err)
		}
	}
}

func TestIdentityTellsAProcessFromALaterOneOfItsNumber(t *testing.T) {
	who, err := identify(os.Getpid())
	if err != nil || !who.alive() {
		t.Fatalf("this process lives: %v", err)
	}
	kept, err := parseIdentity(who.String())
	if err != nil || kept != who {
		t.Errorf("wrote %v, read %v, %v", who, kept, err)
	}
	if earlier := (identity{pid: who.pid, started: who.started - 1}); earlier.alive() {
		t.Error("a process that started at another time is another one")
	}
	for _, text := range []string{"", "x y", "12", "0 5", "1 5", "-3 5"} {
		if got, err := parseIdentity(text); err == nil {
			t.Errorf("%q names no process of ours, got %v", text, got)
		}
	}
}

func TestStop(t *testing.T) {
	for _, c := range []struct{ why, script string }{
		{"ends when it is asked", `echo ready; exec sleep 60`},
		{"is made to end when it does not listen", `trap "" TERM; echo ready; while :; do sleep 0.05; done`},
	} {
		t.Run(c.why, func(t *testing.T) {
			p := script(t, c.script)
			who, alive := p.running()
			if !alive {
				t.Fatal("it was started and is not running")
			}
			if err := p.stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := identify(who.pid); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
			if err := p.stop(t.Context()); err != nil {
				t.Errorf("stopping what has ended is no failure: %v", err)
			}
		})
	}
}

func TestAProcessThatEndsIsReportedWithItsLog(t *testing.T) {
	p := script(t, `echo ready; echo no such flag; exit 3`)
	err := await(t.Context(), []*process{p}, func() (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "no such flag") {
		t.Errorf("got %v", err)
	}
}

// script starts a shell script and returns once it has printed ready.
func script(t *testing.T, text string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{
		name:     "script",
		pidFile:  filepath.Join(dir, "pid"),
		logFile:  filepath.Join(dir, "log"),
		patience: 300 * time.Millisecond,
	}
	if err := p.start("/bin/sh", dir, "-c", text); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.stop(t.Context()) })
	if err := poll(t.Context(), func() (bool, error) { return strings.Contains(tail(p.logFile, 9), "ready"), nil }); err != nil {
		t.Fatal(err)
	}
	return p
}
