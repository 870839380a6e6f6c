package pages

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	// logStreamAge is the time after which a stream ends, and maxStreamBytes the size after which it does.
	// The page connects again where the stream has ended.
	logStreamAge, maxStreamBytes = 15 * time.Minute, 8 << 20
	// logBeat is the time between two comments that keep the connection open, logReview the time after
	// which the right of the user is reviewed again, and logGather the time in which lines are gathered.
	logBeat, logReview, logGather = 20 * time.Second, 60 * time.Second, 100 * time.Millisecond
	// logWriteTimeout bounds the time that a page takes to read.
	logWriteTimeout = 10 * time.Second
	// maxEventBytes is the size after which gathered lines are sent.
	maxEventBytes = 64 << 10
)

// logLine is a line of a log with its time and the name of its container.
type logLine struct{ at, text, container string }

// serveLogStream sends the lines of the logs of one container or of several as events until the page
// closes the stream. A page that connects again sends the ID of the last event, and gets the lines after it.
func (s *Server) serveLogStream(w http.ResponseWriter, r *request) {
	v, err := logOf(r)
	if err != nil {
		s.writeStreamError(w, r, err)
		return
	}
	if !s.logStreams.acquireSlot(r.session.ID, r.session.User) {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many logs are followed", http.StatusServiceUnavailable)
		return
	}
	defer s.logStreams.releaseSlot(r.session.ID, r.session.User)
	ctx, cancel := context.WithTimeout(r.Context(), logStreamAge)
	defer cancel()
	positions := parseLogPositions(r.Header.Get("Last-Event-ID"))
	logs, err := v.openFollowed(ctx, r, positions)
	if err != nil {
		s.writeStreamError(w, r, err)
		return
	}
	defer closeFollowed(logs)
	control := http.NewResponseController(w)
	// The time limit of the server for reading a request would end the stream.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, "streams are not supported", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	lines := make(chan logLine)
	go s.readFollowed(ctx, logs, v.Filter, lines)
	sendLogLines(ctx, &eventWriter{w: w, control: control}, lines, positions, func() error { return v.reviewRight(ctx, r) })
}

// writeStreamError answers a request for a stream that cannot be opened. A script reads the status only.
func (s *Server) writeStreamError(w http.ResponseWriter, r *request, err error) {
	var known *problem
	switch {
	case errors.As(err, &known):
		http.Error(w, known.Title, known.Status)
	case apierrors.IsUnauthorized(err):
		http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
	case apierrors.IsForbidden(err):
		http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
	case errors.Is(err, context.Canceled):
	default:
		s.Log.Error(err, "Cannot follow a log", "path", r.URL.Path)
		w.Header().Set("Retry-After", "5")
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	}
}

// readLogLine reads a line with its time. The rest of a line that is too long is left out.
func readLogLine(reader *bufio.Reader) (logLine, error) {
	raw, err := reader.ReadSlice('\n')
	text := string(raw)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = reader.ReadSlice('\n')
	}
	at, rest, found := strings.Cut(strings.TrimRight(text, "\r\n"), " ")
	if _, problem := time.Parse(time.RFC3339Nano, at); !found || problem != nil {
		return logLine{text: cleanLogLine(text)}, err
	}
	return logLine{at: at, text: cleanLogLine(rest)}, err
}

// eventWriter writes events, each within a time limit, and counts their bytes.
type eventWriter struct {
	w       io.Writer
	control *http.ResponseController
	written int
}

func (w *eventWriter) writeEvent(text string) error {
	if err := w.control.SetWriteDeadline(time.Now().Add(logWriteTimeout)); err != nil {
		return err
	}
	w.written += len(text)
	if _, err := io.WriteString(w.w, text); err != nil {
		return err
	}
	return w.control.Flush()
}

// sendLogLines sends lines as events until the log ends, or the stream is too old or too long.
func sendLogLines(ctx context.Context, w *eventWriter, lines <-chan logLine, positions logPositions, review func() error) {
	beat, again, gather := time.NewTicker(logBeat), time.NewTicker(logReview), time.NewTicker(logGather)
	defer beat.Stop()
	defer again.Stop()
	defer gather.Stop()
	if w.writeEvent(": open\n\n") != nil {
		return
	}
	event := logEvent{positions: positions}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			err = w.writeEvent(": beat\n\n")
		case <-again.C:
			if review() != nil {
				_ = w.writeEvent("event: closed\ndata: denied\n\n") // The stream ends in any case.
				return
			}
		case <-gather.C:
			err = event.sendLines(w)
		case line, open := <-lines:
			if !open {
				if event.sendLines(w) == nil {
					_ = w.writeEvent("event: closed\ndata: ended\n\n") // The stream ends in any case.
				}
				return
			}
			if event.addLine(line); event.bytes >= maxEventBytes {
				err = event.sendLines(w)
			}
		}
		if err != nil || w.written >= maxStreamBytes {
			return
		}
	}
}

// logEvent gathers lines for one event. positions are the positions of all lines of the stream until then.
type logEvent struct {
	lines     []logLine
	bytes     int
	positions logPositions
}

func (e *logEvent) addLine(line logLine) {
	e.lines = append(e.lines, line)
	e.bytes += len(line.text)
}

// sendLines sends the gathered lines, if there are any, sorted by time.
func (e *logEvent) sendLines(w *eventWriter) error {
	if len(e.lines) == 0 {
		return nil
	}
	slices.SortStableFunc(e.lines, func(a, b logLine) int { return strings.Compare(a.at, b.at) })
	var text strings.Builder
	for _, line := range e.lines {
		if line.at != "" {
			e.positions[line.container] = line.at
		}
		text.WriteString("data: " + line.text + "\n")
	}
	e.lines, e.bytes = nil, 0
	return w.writeEvent("id: " + e.positions.String() + "\n" + text.String() + "\n")
}
