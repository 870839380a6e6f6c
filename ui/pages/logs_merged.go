package pages

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/pods"
	"github.com/appmarket/operator/ui/locale"
)

const (
	// allPods is the value of the choice of a pod that selects all pods.
	allPods = "*"
	// maxMergedStreams is the number of containers whose logs are merged, and maxMergedLines the number of
	// lines. openMergedStreams is the number of logs that are read at the same time.
	maxMergedStreams, maxMergedLines, openMergedStreams = 20, 5000, 5
	// mergedTimeout bounds the time in which all logs are read.
	mergedTimeout = 20 * time.Second
	// maxFilterBytes is the length of the text that lines contain.
	maxFilterBytes = 200
)

// logAges are the times after which lines were written, with the messages for them. 0 selects all lines.
var logAges = []struct {
	age time.Duration
	id  string
}{
	{0, "logs.anyTime"}, {5 * time.Minute, "logs.fiveMinutes"}, {time.Hour, "logs.oneHour"}, {6 * time.Hour, "logs.sixHours"}, {24 * time.Hour, "logs.oneDay"},
}

// mergedLog describes the log of several containers.
type mergedLog struct {
	// Streams is the number of containers, and Omitted the number of those that are left out.
	Streams, Omitted int
	// Cut reports that older lines are left out.
	Cut      bool
	Failures []logFailure
}

// logFailure is the reason why the log of a container is not shown.
type logFailure struct{ Stream, Text string }

// addAllPods adds the choice of all pods, if there are several, and selects it if the request does.
func (v *logsView) addAllPods(r *request) {
	if len(v.found) < 2 {
		return
	}
	isSelected := r.URL.Query().Get("pod") == allPods
	if isSelected {
		v.Merged = &mergedLog{}
		for i := range v.Pods {
			v.Pods[i].Chosen = false
		}
	}
	v.Pods = slices.Insert(v.Pods, 0, option{allPods, r.Text("logs.allPods"), isSelected})
}

// addFilters reads the text and the age by which lines are filtered.
func (v *logsView) addFilters(l *locale.Language, query url.Values) {
	v.Filter = strings.TrimSpace(query.Get("q"))
	if len(v.Filter) > maxFilterBytes {
		v.Filter = strings.ToValidUTF8(v.Filter[:maxFilterBytes], "")
	}
	wanted, err := time.ParseDuration(query.Get("since"))
	if err != nil {
		wanted = 0
	}
	for _, each := range logAges {
		value := ""
		if each.age > 0 {
			value = strconv.Itoa(int(each.age.Minutes())) + "m"
		}
		if each.age == wanted {
			v.since = each.age
		}
		v.Ages = append(v.Ages, option{value, l.Text(each.id), each.age == wanted})
	}
}

// setFilters adds the filters to a query.
func (v *logsView) setFilters(query url.Values) {
	query.Set("q", v.Filter)
	if v.since > 0 {
		query.Set("since", strconv.Itoa(int(v.since.Minutes()))+"m")
	}
}

// sinceSeconds returns the age of the oldest line for the API server, nil for all lines.
func (v *logsView) sinceSeconds() *int64 {
	if v.since == 0 {
		return nil
	}
	seconds := int64(v.since.Seconds())
	return &seconds
}

// filterLines returns the lines that contain the text.
func (v *logsView) filterLines(lines []string) []string {
	if v.Filter == "" {
		return lines
	}
	return slices.DeleteFunc(lines, func(line string) bool { return !hasText(line, v.Filter) })
}

// hasText reports whether a text contains another one, in any case of letters.
func hasText(text, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// showMerged shows the log of all pods.
func (v *logsView) showMerged(r *request, instance *v1alpha1.AppInstance) error {
	v.tail = tailOf(r.URL.Query())
	for _, tail := range logTails {
		v.Tails = append(v.Tails, option{strconv.FormatInt(tail, 10), r.Text("logs.lastLines", "Lines", tail), tail == v.tail})
	}
	v.Containers = []option{{"", r.Text("logs.allContainers"), true}}
	query := url.Values{"pod": {allPods}, "tail": {strconv.FormatInt(v.tail, 10)}}
	v.setFilters(query)
	if v.addFollow(r, instance, query); v.Follow != "" {
		return v.checkRight(r)
	}
	return v.readMerged(r)
}

// mergedStream is the log of a container that is merged with others.
type mergedStream struct {
	pod       *corev1.Pod
	container string
	lines     []logLine
	// isCut reports that older lines were not read.
	isCut bool
	err   error
}

func (s *mergedStream) name() string { return s.pod.Name + " " + s.container }

// mergedStreams returns the logs that are merged, and counts them.
func (v *logsView) mergedStreams() []*mergedStream {
	var streams []*mergedStream
	for i := range v.found {
		for _, container := range pods.ContainersOf(&v.found[i]) {
			if !container.Init {
				streams = append(streams, &mergedStream{pod: &v.found[i], container: container.Name})
			}
		}
	}
	if len(streams) > maxMergedStreams {
		v.Merged.Omitted, streams = len(streams)-maxMergedStreams, streams[:maxMergedStreams]
	}
	v.Merged.Streams = len(streams)
	return streams
}

// readMerged reads the logs of all containers that have started, and merges their lines by time.
func (v *logsView) readMerged(r *request) error {
	streams := v.mergedStreams()
	ctx, cancel := context.WithTimeout(r.Context(), mergedTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(openMergedStreams)
	for _, stream := range streams {
		group.Go(outcome.Guarded(func() error {
			stream.err = v.readStream(ctx, r, stream)
			return nil // One log that cannot be read does not hide the others.
		}))
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return v.mergeStreams(r, streams)
}

// readStream reads the newest lines of a container.
func (v *logsView) readStream(ctx context.Context, r *request, stream *mergedStream) error {
	limit := int64(maxLogBytes)
	log, err := r.OpenLog(ctx, stream.pod.Namespace, stream.pod.Name, &corev1.PodLogOptions{
		Container: stream.container, Timestamps: true, TailLines: &v.tail, LimitBytes: &limit, SinceSeconds: v.sinceSeconds(),
	})
	if err != nil {
		return err
	}
	defer log.Close()
	reader, size := bufio.NewReaderSize(io.LimitReader(log, maxLogBytes), maxLogLine+64), 0
	for {
		line, err := readLogLine(reader)
		if line.text != "" && hasText(line.text, v.Filter) {
			stream.lines, size = append(stream.lines, line), size+len(line.text)
		}
		for size > maxLogBytes/2 || len(stream.lines) > maxMergedLines {
			size -= len(stream.lines[0].text)
			stream.lines, stream.isCut = stream.lines[1:], true
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// mergeStreams merges the lines of streams by time, and notes the streams that could not be read.
func (v *logsView) mergeStreams(r *request, streams []*mergedStream) error {
	type namedLine struct{ at, text string }
	var all []namedLine
	for _, stream := range streams {
		switch {
		case apierrors.IsUnauthorized(stream.err):
			return stream.err
		case apierrors.IsForbidden(stream.err):
			v.denyRight(r, "logs.cannotGetLogs", stream.pod.Namespace)
			return nil
		case stream.err != nil && errors.Is(stream.err, context.DeadlineExceeded):
			v.Merged.Failures = append(v.Merged.Failures, logFailure{stream.name(), r.Text("logs.tooSlow")})
		case stream.err != nil:
			v.Merged.Failures = append(v.Merged.Failures, logFailure{stream.name(), logProblem(r.lang, stream.err, stream.pod.Spec.NodeName)})
		}
		v.Merged.Cut = v.Merged.Cut || stream.isCut
		last := ""
		for _, line := range stream.lines {
			if last = max(last, line.at); line.at == "" {
				line.at = last // A line without a time follows the one before.
			}
			all = append(all, namedLine{line.at, stream.name() + ": " + line.text})
		}
	}
	slices.SortStableFunc(all, func(a, b namedLine) int { return strings.Compare(a.at, b.at) })
	size, first := 0, len(all)
	for first > 0 && len(all)-first < maxMergedLines && size+len(all[first-1].text) < maxLogBytes {
		first--
		size += len(all[first].text) + 1
	}
	v.Merged.Cut = v.Merged.Cut || first > 0
	var text strings.Builder
	for _, line := range all[first:] {
		text.WriteString(line.text + "\n")
	}
	v.Text = text.String()
	return nil
}
