package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
)

const (
	manyStreams = 1000
	// unreadStreams is the number of streams whose page does not read.
	unreadStreams = 50
	// userStreams is the number of streams of each user, which is as many as one session may open.
	userStreams = 4
)

// followChanges measures open pages: the time of a task with and without 1,000 streams, the time from a change
// to its signal, and the memory of a stream. Each stream follows the lists of tasks and instances.
func (m *benchmark) followChanges() {
	const rounds = 7
	version := m.smallVersion().Version
	tenants := m.createTenants("streams", 2*rounds)
	s := m.startPages()
	measure := func(namespaces []string) time.Duration {
		var all []time.Duration
		for _, namespace := range namespaces {
			all = append(all, m.runTasks([]client.Object{m.newTask(namespace, smallApp, version)}))
		}
		return median(all)
	}
	without := measure(tenants[:rounds])
	before, err := processMemory(s.processID(), "VmRSS")
	m.Expect(err).NotTo(HaveOccurred())
	streams := m.openStreams(s)
	after, err := processMemory(s.processID(), "VmRSS")
	m.Expect(err).NotTo(HaveOccurred())
	m.table.addRow(resultRow{
		work:   fmt.Sprintf("memory of each of %d streams; watches at the API server", manyStreams),
		figure: fmt.Sprintf("%d KiB; %d watches", (after-before)/manyStreams>>10, s.watches), budget: "≤ 25 kB; 4 watches",
	})
	latency := m.measureSignals(streams, client.ObjectKey{Namespace: tenants[0], Name: smallApp})
	m.table.addRow(resultRow{
		work:   fmt.Sprintf("from a change to the signal in %d streams, %d of which are not read, 95th percentile", manyStreams, unreadStreams),
		figure: formatDuration(latency), budget: "≤ 2 s",
	})
	with := measure(tenants[rounds:])
	m.table.addRow(resultRow{
		work:   fmt.Sprintf("a task while %d streams are open, median of %d", manyStreams, rounds),
		figure: formatDuration(with), budget: "≤ 1.1 × without streams", reference: "without streams " + formatDuration(without), ratio: formatRatio(with, without),
	})
}

// signalStream is an open stream of a page.
type signalStream struct {
	cancel  context.CancelFunc
	signals atomic.Int64
	// last is the time of the latest signal, in nanoseconds since 1970.
	last atomic.Int64
}

func (s *signalStream) close() { s.cancel() }

// count returns the number of signals so far.
func (s *signalStream) count() int64 { return s.signals.Load() }

func streamPath(topics ...live.Topic) string {
	query := url.Values{}
	for _, topic := range topics {
		query.Add("t", topic.String())
	}
	return "/live?" + query.Encode()
}

// openStream opens a stream that follows topics, and reads it.
func (s *pagesServer) openStream(ctx context.Context, user int, topics ...live.Topic) (*signalStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	request, err := s.newRequest(ctx, user, streamPath(topics...))
	if err != nil {
		cancel()
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		cancel()
		return nil, fmt.Errorf("open stream: %s", response.Status)
	}
	stream := &signalStream{cancel: cancel}
	go func() {
		defer response.Body.Close()
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if text := lines.Text(); len(text) > 7 && text[:7] == "event: " {
				stream.last.Store(time.Now().UnixNano())
				stream.signals.Add(1)
			}
		}
	}()
	return stream, nil
}

// openStreams opens the streams of many pages and closes them when the measurement ends.
func (m *benchmark) openStreams(s *pagesServer) []*signalStream {
	m.b.Helper()
	topics := []live.Topic{{Resource: kube.Tasks}, {Resource: kube.Instances}}
	var streams []*signalStream
	for i := range manyStreams {
		if i < unreadStreams {
			m.openUnread(s, i/userStreams, streamPath(topics...))
			continue
		}
		var stream *signalStream
		m.Eventually(func() (err error) { // The server limits new users per second.
			stream, err = s.openStream(m.ctx, i/userStreams, topics...)
			return err
		}, timeout, 50*time.Millisecond).Should(Succeed())
		m.b.Cleanup(stream.close)
		streams = append(streams, stream)
	}
	return streams
}

// openUnread opens a stream whose response is never read.
func (m *benchmark) openUnread(s *pagesServer, user int, path string) {
	m.b.Helper()
	request, err := s.newRequest(m.ctx, user, path)
	m.Expect(err).NotTo(HaveOccurred())
	connection, err := net.Dial("tcp", request.URL.Host)
	m.Expect(err).NotTo(HaveOccurred())
	b := m.b
	b.Cleanup(func() {
		if err := connection.Close(); err != nil {
			b.Errorf("close stream: %v", err)
		}
	})
	m.Expect(connection.(*net.TCPConn).SetReadBuffer(1 << 10)).To(Succeed())
	m.Expect(request.Write(connection)).To(Succeed())
}

// measureSignals changes an instance several times, and returns the 95th percentile of the time from the change
// to the signal in each stream.
func (m *benchmark) measureSignals(streams []*signalStream, key client.ObjectKey) time.Duration {
	m.b.Helper()
	const changes = 10
	var all []time.Duration
	for i := range changes {
		time.Sleep(3 * time.Second) // Longer than the shortest time between two signals of a list.
		counts := make([]int64, len(streams))
		for n, stream := range streams {
			counts[n] = stream.count()
		}
		begin := time.Now()
		patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{"bench":"%d"}}}`, i))
		instance := &v1alpha1.AppInstance{}
		instance.Namespace, instance.Name = key.Namespace, key.Name
		m.Expect(m.cluster.Patch(m.ctx, instance, patch)).To(Succeed())
		m.Eventually(func() bool {
			for n, stream := range streams {
				if stream.count() == counts[n] {
					return false
				}
			}
			return true
		}, timeout, 10*time.Millisecond).Should(BeTrue())
		for _, stream := range streams {
			all = append(all, time.Unix(0, stream.last.Load()).Sub(begin))
		}
	}
	return percentile(all, 95)
}
