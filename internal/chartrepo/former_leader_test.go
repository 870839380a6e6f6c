package chartrepo_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/bucket"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/internal/leaderfence"
	"github.com/appmarket/operator/test/testbucket"
)

// leaseInMemory is a lease that a test passes from one process to another.
type leaseInMemory struct {
	resourcelock.Interface
	holder string
}

func (l *leaseInMemory) Identity() string { return "former" }

func (l *leaseInMemory) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: l.holder}, nil, nil
}

func (l *leaseInMemory) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	l.holder = record.HolderIdentity
	return nil
}

// openFormerLeader opens a store of a process that holds the lease, and returns a function that passes the lease to
// another process. Without a fence, the process continues to write.
func openFormerLeader(t *testing.T, dir string, fenced bool) (*chartrepo.Store, func()) {
	t.Helper()
	g := NewWithT(t)
	inner, fence := &leaseInMemory{}, leaderfence.New()
	lock := fence.Lock(inner)
	g.Expect(lock.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "former", LeaseDurationSeconds: 3600})).To(Succeed())
	config := bucket.Config{Name: testbucket.Name, Endpoint: serviceOf(t, dir).URL, CredentialsDir: testbucket.WriteKeys(t)}
	if fenced {
		config.GuardWrites = fence.Transport
	}
	files, err := bucket.New(config)
	g.Expect(err).NotTo(HaveOccurred())
	store, err := chartrepo.OpenStorage(files, chartrepo.Options{Now: fixedTime})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store, func() {
		inner.holder = "next"
		_, _, err := lock.Get(context.Background())
		g.Expect(err).NotTo(HaveOccurred())
	}
}

// TestLateWritesOfAFormerLeader passes the lease to another process while a request of the leader is repeated.
// Without a fence, the late request replaces or removes what the next leader has published, and the next leader
// must find it. With the fence, the request is not sent.
func TestLateWritesOfAFormerLeader(t *testing.T) {
	for why, c := range map[string]struct {
		method string
		// late is what the former leader does, without its error: whether it is sent depends on the fence.
		late func(former *chartrepo.Store, other hydrate.PublishRequest) error
	}{
		"a record is written": {http.MethodPut, func(former *chartrepo.Store, other hydrate.PublishRequest) error {
			_, err := former.Publish(context.Background(), other)
			return err
		}},
		"a record is removed": {http.MethodDelete, func(former *chartrepo.Store, _ hydrate.PublishRequest) error {
			return former.Remove(main, "web")
		}},
	} {
		for _, fenced := range []bool{false, true} {
			t.Run(map[bool]string{false: why + " without a fence", true: why + " with a fence"}[fenced], func(t *testing.T) {
				g := NewWithT(t)
				dir, recorder := t.TempDir(), &damageRecorder{}
				former, passLease := openFormerLeader(t, dir, fenced)
				publishAll(t, former, newPublicationWith(t, main, "web", "1.0.0", []byte("first")))
				next := bucketKind.openStoreWith(t, dir, chartrepo.Options{OnDamaged: recorder.recordDamage, Now: func() time.Time { return noon.Add(time.Hour) }})
				newer := newPublicationWith(t, main, "web", "1.0.0", []byte("of the next leader"))
				server := serviceOf(t, dir)
				server.SetFault(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
					if r.Method != c.method || !strings.Contains(r.URL.Path, "/records/") {
						return false
					}
					server.SetFault(nil)
					passLease()
					publishAll(t, next, newer)
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				})
				err := c.late(former, newPublicationWith(t, main, "web", "1.0.0", []byte("of the former leader")))

				_, refreshErr := next.Refresh()
				g.Expect(refreshErr).NotTo(HaveOccurred())
				if fenced {
					g.Expect(err).To(HaveOccurred())
					g.Expect(recorder.damagedApps()).To(BeEmpty())
				} else {
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(recorder.damagedApps()).To(Equal([]string{"web 1.0.0"}), "the app is hydrated again")
					publishAll(t, next, newer)
				}
				g.Expect(next.Has(main, "web", "1.0.0", newer.Digest)).To(BeTrue())
				replica, _ := openReplica(t, dir)
				g.Expect(replica.Entries()).To(Equal(next.Entries()))
				g.Expect(replica.Entries()[0].Digest).To(Equal(newer.Digest))
			})
		}
	}
}
