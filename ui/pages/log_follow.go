package pages

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// logOpenTimeout bounds the time in which a node begins to send a log.
const logOpenTimeout = 10 * time.Second

// logPositions are the times of the last lines that a page has received, by the name of the container. A page
// continues with them after an interruption.
type logPositions map[string]string

// parseLogPositions returns the positions in the ID of an event. Entries without a time are left out.
func parseLogPositions(id string) logPositions {
	positions := logPositions{}
	values, err := url.ParseQuery(id)
	if err != nil {
		return positions
	}
	for name := range values {
		if _, err := time.Parse(time.RFC3339Nano, values.Get(name)); err == nil {
			positions[name] = values.Get(name)
		}
	}
	return positions
}

// String returns the positions as the ID of an event.
func (p logPositions) String() string {
	values := url.Values{}
	for name, at := range p {
		values.Set(name, at)
	}
	return values.Encode()
}

// followedLog is the log of a container that is followed.
type followedLog struct {
	pod       *corev1.Pod
	container string
	// prefix is the beginning of each line: the name of the container if several logs are merged.
	prefix string
	// last is the time of the last line that the page has received.
	last    string
	content io.ReadCloser
}

func (l *followedLog) name() string { return l.pod.Name + " " + l.container }

// addFollow adds the URLs of the same log: the download, the stream if the log is followed, and the page with
// or without following.
func (v *logsView) addFollow(r *request, instance *v1alpha1.AppInstance, query url.Values) {
	page := instanceTabURL(instance.Namespace, instance.Name, "logs")
	log := pathOf("instances", instance.Namespace, instance.Name, "log")
	v.DownloadURL = log + queryOf(query)
	if r.URL.Query().Get("follow") != "" && !v.Previous {
		v.ToggleURL, v.Follow = page+queryOf(query), log+"/stream"+queryOf(query)
		return
	}
	query.Set("follow", "1")
	v.ToggleURL = page + queryOf(query)
}

// checkRight notes why the logs cannot be followed, before the page opens the stream.
func (v *logsView) checkRight(r *request) error {
	if v.Merged != nil { // To open all logs would take the time of the slowest node.
		if err := v.reviewRight(r.Context(), r); err != nil {
			v.Follow = ""
			return v.noteFailure(r, err)
		}
		return nil
	}
	logs, err := v.openFollowed(r.Context(), r, logPositions{})
	if err != nil {
		v.Follow = ""
		return v.noteFailure(r, err)
	}
	closeFollowed(logs)
	return nil
}

// followedLogs returns the logs that the page follows: of the selected container, or of all.
func (v *logsView) followedLogs() []*followedLog {
	if v.Merged == nil {
		return []*followedLog{{pod: v.Pod, container: v.Container.Name}}
	}
	var logs []*followedLog
	for _, stream := range v.mergedStreams() {
		logs = append(logs, &followedLog{pod: stream.pod, container: stream.container, prefix: stream.name() + ": "})
	}
	return logs
}

// openFollowed opens the logs that the page follows, after the lines that it has received. Positions of other
// containers are removed. A log that cannot be opened is left out if there are others and the user may read it.
func (v *logsView) openFollowed(ctx context.Context, r *request, positions logPositions) ([]*followedLog, error) {
	logs := v.followedLogs()
	maps.DeleteFunc(positions, func(name, _ string) bool {
		return !slices.ContainsFunc(logs, func(l *followedLog) bool { return l.name() == name })
	})
	failures := make([]error, len(logs))
	var group errgroup.Group
	for i, log := range logs {
		log.last = positions[log.name()]
		group.Go(outcome.Guarded(func() error {
			failures[i] = v.openLog(ctx, r, log)
			return nil
		}))
	}
	err := group.Wait()
	isForbidden := slices.ContainsFunc(failures, func(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) })
	opened := slices.DeleteFunc(logs, func(l *followedLog) bool { return l.content == nil })
	if err != nil || isForbidden || len(opened) == 0 {
		closeFollowed(opened)
		return nil, errors.Join(append(failures, err)...)
	}
	return opened, nil
}

// openLog opens a log that is followed.
func (v *logsView) openLog(ctx context.Context, r *request, log *followedLog) error {
	options := &corev1.PodLogOptions{Container: log.container, Follow: true, Timestamps: true, TailLines: &v.tail, SinceSeconds: v.sinceSeconds()}
	if at, err := time.Parse(time.RFC3339Nano, log.last); err == nil {
		since := metav1.NewTime(at)
		options.SinceTime, options.SinceSeconds, options.TailLines = &since, nil, nil
	}
	opening, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(logOpenTimeout, cancel)
	content, err := r.OpenLog(opening, log.pod.Namespace, log.pod.Name, options)
	if err != nil {
		cancel()
		return err
	}
	log.content = cancelingReader{content, cancel}
	timer.Stop() // A log that was opened at the last moment ends at once.
	return nil
}

// cancelingReader cancels the request of a log when the log is closed.
type cancelingReader struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close closes the log.
func (r cancelingReader) Close() error {
	r.cancel()
	return r.ReadCloser.Close()
}

func closeFollowed(logs []*followedLog) {
	for _, log := range logs {
		_ = log.content.Close() // It was only read.
	}
}

// reviewRight returns an error if the user can no longer read the logs.
func (v *logsView) reviewRight(ctx context.Context, r *request) error {
	if v.Merged == nil {
		return r.ReviewLogs(ctx, v.Pod.Namespace, v.Pod.Name)
	}
	reviewed := map[string]bool{}
	for _, log := range v.followedLogs() {
		if namespace := log.pod.Namespace; !reviewed[namespace] {
			reviewed[namespace] = true
			if err := r.ReviewLogs(ctx, namespace, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// readFollowed passes the lines of all logs until they end.
func (s *Server) readFollowed(ctx context.Context, logs []*followedLog, filter string, lines chan<- logLine) {
	defer close(lines)
	var reading sync.WaitGroup
	for _, log := range logs {
		reading.Go(func() {
			if err := outcome.Guarded(func() error { return log.readLines(ctx, filter, lines) })(); err != nil {
				s.Log.Error(err, "Cannot follow a log", "namespace", log.pod.Namespace, "pod", log.pod.Name)
			}
		})
	}
	reading.Wait()
}

// readLines passes the lines that contain a text and are newer than the last one. It waits until a line is
// taken, so that a page that does not read slows the log down and uses no memory.
func (l *followedLog) readLines(ctx context.Context, filter string, lines chan<- logLine) error {
	reader := bufio.NewReaderSize(l.content, maxLogLine+64)
	for {
		line, err := readLogLine(reader)
		if (line.at > l.last || line.at == "" && line.text != "") && hasText(line.text, filter) {
			line.container, line.text = l.name(), l.prefix+line.text
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
