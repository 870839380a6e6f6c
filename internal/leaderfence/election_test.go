package leaderfence_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/leaderfence"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

const (
	leaseDuration = 3 * time.Second
	renewDeadline = 2 * time.Second
	retryPeriod   = 500 * time.Millisecond
	timeout       = time.Minute
)

// severableTransport is the connection to the API server. While it is cut, requests wait
// until their context ends.
type severableTransport struct {
	next  http.RoundTripper
	isCut atomic.Bool

	mu   sync.Mutex
	sent []time.Time // times of the write requests
}

func (l *severableTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if l.isCut.Load() {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	if request.Method != http.MethodGet {
		l.mu.Lock()
		l.sent = append(l.sent, time.Now())
		l.mu.Unlock()
	}
	return l.next.RoundTrip(request)
}

// WrappedRoundTripper allows requests to be canceled.
func (l *severableTransport) WrappedRoundTripper() http.RoundTripper { return l.next }

// firstWrite returns the time of the first write request.
func (l *severableTransport) firstWrite() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[0]
}

// replica is a process that can become the leader.
type replica struct {
	fence     *leaderfence.Fence
	transport *severableTransport
	writer    client.Client
	leads     chan struct{}
	stopped   chan struct{}
	stop      context.CancelFunc
}

// newReplica starts a candidate for leader election in a namespace, with a fenced client.
func newReplica(t *testing.T, server *testenv.Env, namespace string) *replica {
	t.Helper()
	g := NewWithT(t)
	r := &replica{fence: leaderfence.New(), transport: &severableTransport{}, leads: make(chan struct{}), stopped: make(chan struct{})}
	cfg := rest.CopyConfig(server.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { r.transport.next = next; return r.transport })
	recording, done := context.WithCancel(context.Background())
	lock, err := leaderfence.NewLock(recording, cfg, leaderfence.Lease{Namespace: namespace, Name: "leader", RenewDeadline: renewDeadline})
	g.Expect(err).NotTo(HaveOccurred())

	fenced, err := r.fence.Config(server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	r.writer, err = client.New(fenced, client.Options{Scheme: server.Scheme, Mapper: server.Mapper})
	g.Expect(err).NotTo(HaveOccurred())

	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: r.fence.Lock(lock), LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(r.leads) },
			OnStoppedLeading: func() { close(r.stopped) },
		},
	})
	g.Expect(err).NotTo(HaveOccurred())
	var ctx context.Context
	ctx, r.stop = context.WithCancel(t.Context())
	go elector.Run(ctx)
	t.Cleanup(func() {
		r.stop()
		<-r.stopped
		done()
	})
	return r
}

// createConfigMap creates an object through the fence.
func (r *replica) createConfigMap(ctx context.Context, namespace string) error {
	return r.writer.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "written-"}})
}

// leaseHolder returns the identity of the holder of the lease.
func leaseHolder(ctx context.Context, server *testenv.Env, namespace string) (string, error) {
	lease := &coordinationv1.Lease{}
	err := server.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "leader"}, lease)
	if err != nil || lease.Spec.HolderIdentity == nil {
		return "", err
	}
	return *lease.Spec.HolderIdentity, nil
}

func TestFormerLeaderCannotWrite(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	first := newReplica(t, server, namespace)
	g.Eventually(first.leads, timeout).Should(BeClosed())
	second := newReplica(t, server, namespace)
	g.Expect(second.createConfigMap(t.Context(), namespace)).To(MatchError(leaderfence.ErrFenced), "the second replica is not the leader yet")
	g.Expect(second.writer.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(namespace))).To(Succeed(), "reads are allowed")

	// The first replica writes without a pause until it is rejected, and continues to try.
	g.Expect(first.createConfigMap(t.Context(), namespace)).To(Succeed())
	first.transport.isCut.Store(true)
	var wrote int
	var last, refused time.Time
	for done := false; !done; {
		err := first.createConfigMap(t.Context(), namespace)
		switch {
		case err == nil:
			g.Expect(refused).To(BeZero(), "a write succeeded after a rejected write")
			wrote++
			last = time.Now()
		case refused.IsZero():
			refused = time.Now()
			fallthrough
		default:
			g.Expect(err).To(MatchError(leaderfence.ErrFenced))
		}
		select {
		case <-second.leads:
			done = true
		default:
		}
	}
	g.Expect(wrote).NotTo(BeZero(), "no write succeeded while the lease was held")
	g.Expect(refused).NotTo(BeZero())
	taken := second.transport.firstWrite()
	g.Expect(last).To(BeTemporally("<", taken), "a write succeeded after the other replica could lead")
	g.Expect(refused).To(BeTemporally("<", taken), "the rejection came after the other replica could lead")
	g.Expect(second.createConfigMap(t.Context(), namespace)).To(Succeed())

	// The connection is back. The former leader stops and sends nothing.
	first.transport.isCut.Store(false)
	g.Eventually(first.stopped, timeout).Should(BeClosed())
	g.Expect(first.createConfigMap(t.Context(), namespace)).To(MatchError(leaderfence.ErrFenced))
	g.Expect(first.writer.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(namespace))).To(MatchError(leaderfence.ErrFenced), "reads of a former leader are rejected too")
}

func TestStoppedLeaderReleasesTheLease(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	first := newReplica(t, server, namespace)
	g.Eventually(first.leads, timeout).Should(BeClosed())
	g.Expect(first.fence.Open()).To(BeTrue())
	second := newReplica(t, server, namespace)

	first.stop()
	g.Eventually(first.stopped, timeout).Should(BeClosed())
	g.Expect(first.fence.Open()).To(BeFalse(), "the fence closes immediately, not when the lease expires")
	g.Eventually(second.leads, timeout).Should(BeClosed())
	g.Expect(second.createConfigMap(t.Context(), namespace)).To(Succeed())
}

func TestLeaderReleasesTheLeaseAfterARefusedWrite(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	first := newReplica(t, server, namespace)
	g.Eventually(first.leads, timeout).Should(BeClosed())
	held, err := leaseHolder(t.Context(), server, namespace)
	g.Expect(err).NotTo(HaveOccurred())

	// The lease is unchanged, but the machine slept, and a write detected that.
	g.Eventually(func() error {
		first.fence.Sleep(time.Hour)
		return first.createConfigMap(t.Context(), namespace)
	}, timeout).Should(MatchError(leaderfence.ErrFenced))
	g.Eventually(first.stopped, timeout).Should(BeClosed())
	g.Eventually(func() (string, error) { return leaseHolder(t.Context(), server, namespace) }, timeout).ShouldNot(Equal(held), "the lease is released")
}

func TestNewLockRecordsAnEvent(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	r := newReplica(t, server, namespace)
	g.Eventually(r.leads, timeout).Should(BeClosed())
	held, err := leaseHolder(t.Context(), server, namespace)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func(g Gomega) {
		var events corev1.EventList
		g.Expect(server.Client.List(t.Context(), &events, client.InNamespace(namespace))).To(Succeed())
		g.Expect(events.Items).To(HaveLen(1))
		e := events.Items[0]
		g.Expect(fmt.Sprint(e.InvolvedObject.Kind, " ", e.InvolvedObject.Name, " ", e.Reason)).To(Equal("Lease leader LeaderElection"))
		g.Expect(e.Message).To(ContainSubstring(held))
	}, timeout).Should(Succeed())
}
