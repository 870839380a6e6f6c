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
	me    = "host_me"
	other = "host_other"
)

// scene is a fence, its lock and a writer behind it, at a time that the test sets.
type scene struct {
	resourcelock.Interface
	fence  *Fence
	now    reading
	lock   resourcelock.Interface
	holder string
	// takes is how long an answer takes, and err what it is.
	takes time.Duration
	err   error
}

func newScene() *scene {
	s := &scene{fence: New()}
	s.now.wall = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	s.fence.now = func() reading { return s.now }
	s.lock = s.fence.Lock(s)
	return s
}

// passes lets time pass on both clocks.
func (s *scene) passes(d time.Duration) {
	s.now.running += d
	s.now.wall = s.now.wall.Add(d)
}

func (s *scene) Identity() string { return me }

func (s *scene) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: s.holder}, nil, s.err
}

func (s *scene) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return s.Update(ctx, record)
}

func (s *scene) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	s.passes(s.takes)
	if s.err == nil {
		s.holder = record.HolderIdentity
	}
	return s.err
}

// renew asks for ten seconds.
func (s *scene) renew() error {
	return s.lock.Update(context.Background(), resourcelock.LeaderElectionRecord{HolderIdentity: me, LeaseDurationSeconds: 10})
}

func (s *scene) write() error {
	request, err := http.NewRequest(http.MethodPut, "https://cluster.example/", nil)
	if err != nil {
		return err
	}
	answer, err := s.fence.wrap(answering{}).RoundTrip(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// answering says yes to everything, once it has read the request.
type answering struct{}

func (answering) RoundTrip(request *http.Request) (*http.Response, error) {
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
		do   func(g Gomega, s *scene)
		open bool
	}{
		{why: "nobody asked for the lease", do: func(Gomega, *scene) {}},
		{why: "renewed", open: true, do: func(g Gomega, s *scene) { g.Expect(s.renew()).To(Succeed()) }},
		{why: "made", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.lock.Create(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: me, LeaseDurationSeconds: 1})).To(Succeed())
		}},
		{why: "refused", do: func(g Gomega, s *scene) {
			s.err = lost
			g.Expect(s.renew()).To(MatchError(lost))
		}},
		{why: "just before the last tenth", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.passes(9*time.Second - 1)
		}},
		{why: "exactly at the last tenth", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.passes(9 * time.Second)
		}},
		{why: "what counts is when the request was sent, not when it was answered", do: func(g Gomega, s *scene) {
			s.takes = 9 * time.Second
			g.Expect(s.renew()).To(Succeed())
		}},
		{why: "answered late, but not too late", open: true, do: func(g Gomega, s *scene) {
			s.takes = 9*time.Second - 1
			g.Expect(s.renew()).To(Succeed())
		}},
		{why: "renewed in time", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.passes(8 * time.Second)
			g.Expect(s.renew()).To(Succeed())
			s.passes(8 * time.Second)
		}},
		{why: "a renewal that failed counts for nothing", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.passes(8 * time.Second)
			s.err = lost
			g.Expect(s.renew()).To(MatchError(lost))
			s.passes(time.Second)
		}},
		{why: "and takes nothing away", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.err = lost
			g.Expect(s.renew()).To(MatchError(lost))
		}},
		{why: "the machine slept, and the steady clock with it", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.now.wall = s.now.wall.Add(time.Hour)
		}},
		{why: "the clock on the wall was set back", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.now.wall = s.now.wall.Add(-time.Hour)
			s.now.running += 9 * time.Second
		}},
		{why: "the lease ran out, nothing noticed it, and nobody took it", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.passes(time.Minute)
			g.Expect(s.renew()).To(Succeed())
		}},
		{why: "refused before the first time: it had no work that could be in pieces", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.write()).To(MatchError(ErrFenced))
			g.Expect(s.renew()).To(Succeed())
		}},
		{why: "a write was refused: it does not come back", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.passes(9 * time.Second)
			g.Expect(s.write()).To(MatchError(ErrFenced))
			g.Expect(s.renew()).To(MatchError(ErrFenced))
			g.Expect(s.lock.Create(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: me, LeaseDurationSeconds: 10})).To(MatchError(ErrFenced))
		}},
		{why: "the lease ran out and the connections noticed: it does not come back", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			g.Expect(s.fence.carry()).To(Succeed())
			s.passes(9 * time.Second)
			g.Expect(s.fence.carry()).To(MatchError(ErrFenced))
			g.Expect(s.renew()).To(MatchError(ErrFenced))
		}},
		{why: "connections were in use before the first time", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.fence.carry()).To(Succeed())
			g.Expect(s.renew()).To(Succeed())
		}},
		{why: "another has the lease", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.holder = other
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
		}},
		{why: "another had it before", open: true, do: func(g Gomega, s *scene) {
			s.holder = other
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.renew()).To(Succeed())
		}},
		{why: "seen to be held, as before", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).NotTo(HaveOccurred())
		}},
		{why: "it was not to be learnt who has it", open: true, do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.holder, s.err = other, lost
			_, _, err := s.lock.Get(ctx)
			g.Expect(err).To(MatchError(lost))
		}},
		{why: "given up", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			g.Expect(s.lock.Update(ctx, resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1})).To(Succeed())
		}},
		{why: "perhaps given up", do: func(g Gomega, s *scene) {
			g.Expect(s.renew()).To(Succeed())
			s.err = lost
			g.Expect(s.lock.Update(ctx, resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1})).To(MatchError(lost))
		}},
		{why: "a lease of less than a second is none: so others count it", do: func(g Gomega, s *scene) {
			g.Expect(s.lock.Update(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: me})).To(Succeed())
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			s := newScene()
			c.do(g, s)
			g.Expect(s.fence.Open()).To(Equal(c.open))
			refused := s.write()
			g.Expect(errors.Is(refused, ErrFenced)).To(Equal(!c.open), "%v", refused)
			g.Expect(s.fence.Open()).To(Equal(c.open))
		})
	}
}

func TestFenceClosesBeforeTheLeaseIsGivenUp(t *testing.T) {
	g := NewWithT(t)
	s := newScene()
	looking := &looking{scene: s}
	s.lock = s.fence.Lock(looking)
	g.Expect(s.renew()).To(Succeed())
	g.Expect(s.fence.Open()).To(BeTrue())
	g.Expect(s.lock.Update(context.Background(), resourcelock.LeaderElectionRecord{})).To(Succeed())
	g.Expect(looking.saw).To(Equal([]bool{false, false}), "closed before it is held, and once it may be another's")
}

// looking looks at the fence whenever the lease is asked for or given up.
type looking struct {
	*scene
	saw []bool
}

func (l *looking) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	l.saw = append(l.saw, l.fence.Open())
	return l.scene.Update(ctx, record)
}
