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

// scene is a fence, its lock and a writer behind it, at a time that the test sets.
type fixture struct {
	resourcelock.Interface
	fence  *Fence
	now    clockReading
	lock   resourcelock.Interface
	holder string
	// takes is how long an answer takes, and err what it is.
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

// passes lets time pass on both clocks.
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

// renew asks for ten seconds.
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

// answering says yes to everything, once it has read the request.
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
		{why: "nobody asked for the lease", do: func(Gomega, *fixture) {}},
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
		{why: "what counts is when the request was sent, not when it was answered", do: func(g Gomega, s *fixture) {
			s.latency = 9 * time.Second
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "answered late, but not too late", open: true, do: func(g Gomega, s *fixture) {
			s.latency = 9*time.Second - 1
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "renewed in time", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(8 * time.Second)
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(8 * time.Second)
		}},
		{why: "a renewal that failed counts for nothing", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(8 * time.Second)
			s.err = lost
			g.Expect(s.renewLease()).To(MatchError(lost))
			s.advanceClocks(time.Second)
		}},
		{why: "and takes nothing away", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.err = lost
			g.Expect(s.renewLease()).To(MatchError(lost))
		}},
		{why: "the machine slept, and the steady clock with it", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.now.wall = s.now.wall.Add(time.Hour)
		}},
		{why: "the clock on the wall was set back", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.now.wall = s.now.wall.Add(-time.Hour)
			s.now.running += 9 * time.Second
		}},
		{why: "the lease ran out, nothing noticed it, and nobody took it", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(time.Minute)
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "refused before the first time: it had no work that could be in pieces", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.sendWrite()).To(MatchError(ErrFenced))
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "a write was refused: it does not come back", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.advanceClocks(9 * time.Second)
			g.Expect(s.sendWrite()).To(MatchError(ErrFenced))
			g.Expect(s.renewLease()).To(MatchError(ErrFenced))
			g.Expect(s.lock.Create(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: ownIdentity, LeaseDurationSeconds: 10})).To(MatchError(ErrFenced))
		}},
		{why: "the lease ran out and the connections noticed: it does not come back", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			g.Expect(s.fence.allowBytes()).To(Succeed())
			s.advanceClocks(9 * time.Second)
			g.Expect(s.fence.allowBytes()).To(MatchError(ErrFenced))
			g.Expect(s.renewLease()).To(MatchError(ErrFenced))
		}},
		{why: "connections were in use before the first time", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.fence.allowBytes()).To(Succeed())
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "another has the lease", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.holder = otherIdentity
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
		}},
		{why: "another had it before", open: true, do: func(g Gomega, s *fixture) {
			s.holder = otherIdentity
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.renewLease()).To(Succeed())
		}},
		{why: "seen to be held, as before", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
		}},
		{why: "it was not to be learnt who has it", open: true, do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.holder, s.err = otherIdentity, lost
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).To(MatchError(lost))
		}},
		{why: "given up", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			g.Expect(s.lock.Update(ctx, resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1})).To(Succeed())
		}},
		{why: "perhaps given up", do: func(g Gomega, s *fixture) {
			g.Expect(s.renewLease()).To(Succeed())
			s.err = lost
			g.Expect(s.lock.Update(ctx, resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1})).To(MatchError(lost))
		}},
		{why: "a lease of less than a second is none: so others count it", do: func(g Gomega, s *fixture) {
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
	g.Expect(looking.saw).To(Equal([]bool{false, false}), "closed before it is held, and once it may be another's")
}

// looking looks at the fence whenever the lease is asked for or given up.
type fenceRecorder struct {
	*fixture
	saw []bool
}

func (l *fenceRecorder) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	l.saw = append(l.saw, l.fence.Open())
	return l.fixture.Update(ctx, record)
}
