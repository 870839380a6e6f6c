package pages

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/internal/outcome"
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
	// maxLogStreams and maxSessionLogStreams are the numbers of streams in all and of one session.
	maxLogStreams, maxSessionLogStreams = 200, 2
	// maxEventBytes is the size after which gathered lines are sent.
	maxEventBytes = 64 << 10
)

// logSlots counts the streams of logs. It is safe for concurrent use.
type logSlots struct {
	mu       sync.Mutex
	total    int
	sessions map[string]int
}

// acquireSlot reports whether a session may open one more stream. The stream must be released.
func (s *logSlots) acquireSlot(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxLogStreams || s.sessions[session] >= maxSessionLogStreams {
		return false
	}
	s.total++
	s.sessions[session]++
	return true
}

func (s *logSlots) releaseSlot(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.sessions[session]--; s.sessions[session] == 0 {
		delete(s.sessions, session)
	}
}

// logLine is a line of a log with its time, by which a page continues after an interruption.
type logLine struct{ at, text string }

// serveLogStream sends the lines of a log as events until the page closes the stream. A page that
// connects again sends the time of its last line, and gets the lines after it.
func (s *Server) serveLogStream(w http.ResponseWriter, r *request) {
	v, err := logOf(r)
	if err != nil {
		http.Error(w, "the log does not exist", http.StatusNotFound)
		return
	}
	if v.Merged != nil {
		http.Error(w, "the logs of several pods cannot be followed", http.StatusBadRequest)
		return
	}
	if !s.logStreams.acquireSlot(r.session.ID) {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many logs are followed", http.StatusServiceUnavailable)
		return
	}
	defer s.logStreams.releaseSlot(r.session.ID)
	ctx, cancel := context.WithTimeout(r.Context(), logStreamAge)
	defer cancel()
	last := r.Header.Get("Last-Event-ID")
	options := &corev1.PodLogOptions{Container: v.Container.Name, Follow: true, Timestamps: true, TailLines: &v.tail, SinceSeconds: v.sinceSeconds()}
	if at, err := time.Parse(time.RFC3339Nano, last); err == nil {
		since := metav1.NewTime(at)
		options.SinceTime, options.SinceSeconds, options.TailLines = &since, nil, nil
	}
	log, err := r.OpenLog(ctx, v.Pod.Namespace, v.Pod.Name, options)
	if err != nil {
		http.Error(w, "the log cannot be followed", http.StatusForbidden)
		return
	}
	defer log.Close()
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
	go func() {
		if err := outcome.Guarded(func() error { return readLogLines(ctx, log, last, v.Filter, lines) })(); err != nil {
			s.Log.Error(err, "Cannot follow a log", "namespace", v.Pod.Namespace, "pod", v.Pod.Name)
		}
	}()
	sendLogLines(ctx, &eventWriter{w: w, control: control}, lines, func() error { return v.reviewRight(ctx, r) })
}

// reviewRight returns an error if the user can no longer read the log.
func (v *logsView) reviewRight(ctx context.Context, r *request) error {
	none := int64(0)
	log, err := r.OpenLog(ctx, v.Pod.Namespace, v.Pod.Name, &corev1.PodLogOptions{Container: v.Container.Name, TailLines: &none})
	if err != nil {
		return err
	}
	return log.Close()
}

// readLogLines passes the lines of a log that contain a text and are newer than the last one of an earlier stream. It waits
// until a line is taken, so that a page that does not read slows the log down and uses no memory.
func readLogLines(ctx context.Context, log io.Reader, last, filter string, lines chan<- logLine) error {
	defer close(lines)
	reader := bufio.NewReaderSize(log, maxLogLine+64)
	for {
		line, err := readLogLine(reader)
		if (line.at > last || line.at == "" && line.text != "") && hasText(line.text, filter) {
			select {
			case lines <- line:
			case <-ctx.Done():
				return nil
			}
		}
		switch {
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
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
func sendLogLines(ctx context.Context, w *eventWriter, lines <-chan logLine, review func() error) {
	beat, again, gather := time.NewTicker(logBeat), time.NewTicker(logReview), time.NewTicker(logGather)
	defer beat.Stop()
	defer again.Stop()
	defer gather.Stop()
	if w.writeEvent(": open\n\n") != nil {
		return
	}
	var event logEvent
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
			if event.addLine(line); event.text.Len() >= maxEventBytes {
				err = event.sendLines(w)
			}
		}
		if err != nil || w.written >= maxStreamBytes {
			return
		}
	}
}

// logEvent gathers lines for one event.
type logEvent struct {
	text strings.Builder
	at   string
}

func (e *logEvent) addLine(line logLine) {
	e.text.WriteString("data: " + line.text + "\n")
	if line.at != "" {
		e.at = line.at
	}
}

// sendLines sends the gathered lines, if there are any.
func (e *logEvent) sendLines(w *eventWriter) error {
	if e.text.Len() == 0 {
		return nil
	}
	event := e.text.String() + "\n"
	if e.at != "" {
		event = fmt.Sprintf("id: %s\n%s", e.at, event)
	}
	e.text.Reset()
	e.at = ""
	return w.writeEvent(event)
}
