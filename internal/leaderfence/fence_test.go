package leaderfence

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	ownIdentity   = "host_me"
	otherIdentity = "host_other"
)

// fixture is a fence with its lock, and a writer behind it, at a time that the test sets.
type fixture struct {
	resourcelock.Interface
	fence  *Fence
	now    clockReading
	lock   resourcelock.Interface
	holder string
	// latency is the time until a lock request is answered, and err is its result.
	latency time.Duration
	err     error
}

func newFixture() *fixture {
	s := &fixture{fence: New()}
	s.now.wall = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	s.fence.now = func() clockReading { return s.now }
	s.lock = s.fence.Lock(s)
	return s
}

// advanceClocks advances both clocks.
func (s *fixture) advanceClocks(d time.Duration) {
	s.now.running += d
	s.now.wall = s.now.wall.Add(d)
}

func (s *fixture) Identity() string { return ownIdentity }

func (s *fixture) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: s.holder}, nil, s.err
}

func (s *fixture) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return s.Update(ctx, record)
}

func (s *fixture) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	s.advanceClocks(s.latency)
	if s.err == nil {
		s.holder = record.HolderIdentity
	}
	return s.err
}

// renewLease renews the lease for ten seconds.
func (s *fixture) renewLease() error {
	return s.lock.Update(context.Background(), resourcelock.LeaderElectionRecord{HolderIdentity: ownIdentity, LeaseDurationSeconds: 10})
}

func (s *fixture) sendWrite() error {
	request, err := http.NewRequest(http.MethodPut, "https://cluster.example/", nil)
	if err != nil {
		return err
	}
	answer, err := s.fence.wrapTransport(okTransport{}).RoundTrip(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// okTransport reads each request and responds with status 200.
type okTransport struct{}

func (okTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
}

func TestFenceIsOpenWhileTheLeaseIsHeld(t *testing.T) {
	ctx := context.Background()
	lost := errors.New("connection reset")
	for _, c := range []struct {
		why  string
		do   func(g Gomega, s *fixture)
		open bool
	}{
		{why: "the lease was not requested", do: func(Gomega, *fixture) {}},
		{why: "renewed", open: true, do: func(g Gomega, s *fixture) { g.Expect(s.renewLease()).To(Succeed()) }},
		{why: "made", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.lock.Create(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: ownIdentity, LeaseDurationSeconds: 1})).To(Succeed())
		}},
		{why: "refused", do: func(g Gomega, s *fixture) {
			s.err = lost
			g.Expect(s.renewLease()).To(MatchError(lost))
		}},
		{why: "just before the last tenth", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(9*time.Second - 1)
		}},
		{why: "exactly at the last tenth", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(9 * time.Second)
		}},
		{why: "the time of the request counts, not the time of the response", do: func(g Gomega, s *fixture) {
			s.latency = 9 * time.Second
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "the response is late, but the lease has not expired", open: true, do: func(g Gomega, s *fixture) {
			s.latency = 9*time.Second - 1
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "renewed in time", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(8 * time.Second)
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(8 * time.Second)
		}},
		{why: "a failed renewal does not extend the lease", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(8 * time.Second)
			s.err = lost
			g.Expect(s.renewLease()).To(MatchError(lost))
			s.advanceClocks(time.Second)
		}},
		{why: "a failed renewal does not end the lease", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.err = lost
			g.Expect(s.renewLease()).To(MatchError(lost))
		}},
		{why: "the machine slept, and the monotonic clock stopped", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.now.wall = s.now.wall.Add(time.Hour)
		}},
		{why: "the wall clock was set back", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.now.wall = s.now.wall.Add(-time.Hour)
			s.now.running += 9 * time.Second
		}},
		{why: "the lease expired unnoticed, and no other process acquired it", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(time.Minute)
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "a write was rejected before the first lease: the process had no unfinished work", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.sendWrite()).To(MatchError(ErrFenced))
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "a write was rejected: the lease is not renewed", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(9 * time.Second)
			g.Expect(s.sendWrite()).To(MatchError(ErrFenced))
			g.Expect(s.renewLease()).To(MatchError(ErrFenced))
			g.Expect(s.lock.Create(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: ownIdentity, LeaseDurationSeconds: 10})).To(MatchError(ErrFenced))
		}},
		{why: "the lease expired and a connection detected it: the lease is not renewed", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			g.Expect(s.fence.allowBytes()).To(Succeed())
			s.advanceClocks(9 * time.Second)
			g.Expect(s.fence.allowBytes()).To(MatchError(ErrFenced))
			g.Expect(s.renewLease()).To(MatchError(ErrFenced))
		}},
		{why: "connections were used before the first lease", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.fence.allowBytes()).To(Succeed())
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "another process holds the lease", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.holder = otherIdentity
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
		}},
		{why: "another process held the lease before", open: true, do: func(g Gomega, s *fixture) {
			s.holder = otherIdentity
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "the lease was read and is still held", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
		}},
		{why: "the holder of the lease cannot be read", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.holder, s.err = otherIdentity, lost
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).To(MatchError(lost))
		}},
		{why: "released", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			g.Expect(s.lock.Update(ctx, resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1})).To(Succeed())
		}},
		{why: "a release failed", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.err = lost
			g.Expect(s.lock.Update(ctx, resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1})).To(MatchError(lost))
		}},
		{why: "a lease of less than a second counts as not held, as for other processes", do: func(g Gomega, s *fixture) {
			g.Expect(s.lock.Update(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: ownIdentity})).To(Succeed())
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newFixture()
			c.do(g, s)
			g.Expect(s.fence.Open()).To(Equal(c.open))
			refused := s.sendWrite()
			g.Expect(errors.Is(refused, ErrFenced)).To(Equal(!c.open), "%v", refused)
			g.Expect(s.fence.Open()).To(Equal(c.open))
		})
	}
}

func TestFenceClosesBeforeTheLeaseIsReleased(t *testing.T) {
	g := NewWithT(t)
	s := newFixture()
	looking := &fenceRecorder{fixture: s}
	s.lock = s.fence.Lock(looking)
	g.Expect(s.renewLease()).To(Succeed())
	g.Expect(s.fence.Open()).To(BeTrue())
	g.Expect(s.lock.Update(context.Background(), resourcelock.LeaderElectionRecord{})).To(Succeed())
	g.Expect(looking.saw).To(Equal([]bool{false, false}), "the fence is closed before the lease is acquired and before it is released")
}

// fenceRecorder records whether the fence is open during each lock request.
type fenceRecorder struct {
	*fixture
	saw []bool
}

func (l *fenceRecorder) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	l.saw = append(l.saw, l.fence.Open())
	return l.fixture.Update(ctx, record)
}
