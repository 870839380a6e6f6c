package ui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/appmarket/operator/ui/recording"
	"github.com/appmarket/operator/ui/terminal"
)

// terminalOptions are the values of the flags about terminals.
type terminalOptions struct {
	terminal        bool
	recordTerminal  string
	recordingBytes  int64
	recordingMaxAge time.Duration
}

func (o *terminalOptions) addFlags(f *flag.FlagSet) {
	f.BoolVar(&o.terminal, "terminal", false, "Let users open a terminal in the containers of an instance. A user needs the permission to create pods/exec.")
	f.StringVar(&o.recordTerminal, "record-terminal", "", "Directory in which the output of terminals is recorded. It must exist. A terminal that cannot be recorded is not opened. If empty, terminals are not recorded.")
	f.Int64Var(&o.recordingBytes, "recording-max-bytes", 1<<30, "Maximum size of all recordings in bytes. The oldest recordings are removed.")
	f.DurationVar(&o.recordingMaxAge, "recording-max-age", 30*24*time.Hour, "Time after which a recording is removed.")
}

// validateTerminal validates the flags about terminals.
func (o *terminalOptions) validateTerminal() error {
	switch {
	case o.recordTerminal != "" && !o.terminal:
		return errors.New("--record-terminal: Invalid value: must be empty without --terminal")
	case o.recordingBytes < recording.MaxBytes:
		return fmt.Errorf("--recording-max-bytes: Invalid value: %d: must be at least %d, the size of one recording", o.recordingBytes, recording.MaxBytes)
	case o.recordingMaxAge < time.Hour:
		return fmt.Errorf("--recording-max-age: Invalid value: %s: must be at least 1h", o.recordingMaxAge)
	}
	return nil
}

// newTerminals returns the manager of terminals, nil if there are none.
func (o *terminalOptions) newTerminals(log logr.Logger) (*terminal.Manager, error) {
	if !o.terminal {
		return nil, nil
	}
	var store *recording.Store
	if o.recordTerminal != "" {
		var err error
		if store, err = recording.Open(o.recordTerminal, recording.Limits{Bytes: o.recordingBytes, Age: o.recordingMaxAge}, log); err != nil {
			return nil, fmt.Errorf("--record-terminal: %w", err)
		}
	}
	return terminal.NewManager(terminal.Options{Recordings: store}), nil
}

// maintainRecordings removes old recordings until the context is done.
func maintainRecordings(ctx context.Context, terminals *terminal.Manager) error {
	if terminals == nil || !terminals.IsRecording() {
		return nil
	}
	return terminals.Recordings.Maintain(ctx)
}
