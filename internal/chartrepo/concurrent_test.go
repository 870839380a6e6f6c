package chartrepo_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chartrepo"
)

// TestConcurrentUse runs writers, a sweeper, a scrubber and readers at the same time: each
// reader gets one of the published archives, and the last published versions exist in the
// end.
func TestConcurrentUse(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir, recorder := t.TempDir(), &damageRecorder{}
		store := in.openStore(t, dir, recorder)
		handler := chartrepo.Handler(store, chartrepo.HandlerOptions{})
		archives := map[string]bool{}
		for i := range 3 {
			archives[fmt.Sprintf("archive %d", i)] = true
		}
		done := make(chan struct{})
		var writers, others sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for i := range 30 {
					p := newPublicationWith(t, main, fmt.Sprintf("app-%d", w%2), "1.0.0", fmt.Appendf(nil, "archive %d", (w+i)%3))
					if _, err := store.Publish(context.Background(), p); err != nil {
						t.Error(err)
					}
					if i%10 == 5 {
						if err := store.Remove(main, fmt.Sprintf("app-%d", w%2)); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		repeat := func(what func() error) {
			others.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if err := what(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		repeat(func() error {
			_, err := store.Sweep(context.Background(), nil, 0)
			return err
		})
		repeat(func() error {
			_, err := store.Scrub(context.Background())
			return err
		})
		repeat(func() error {
			answer := getPath(t, handler, "/market/main/charts/app-0-1.0.0.tgz")
			if answer.Code == http.StatusOK && !archives[answer.Body.String()] {
				return errors.New("unexpected content: " + answer.Body.String())
			}
			if answer := getPath(t, handler, "/index.yaml"); answer.Code != http.StatusOK {
				return errors.New(answer.Body.String())
			}
			return nil
		})
		writers.Wait()
		close(done)
		others.Wait()
		for app := range 2 {
			p := newPublicationWith(t, main, fmt.Sprintf("app-%d", app), "1.0.0", []byte("archive 0"))
			publishAll(t, store, p)
			g.Expect(store.Has(main, p.App, "1.0.0", p.Digest)).To(gomega.BeTrue())
		}
		g.Expect(recorder.damagedApps()).To(gomega.BeEmpty())
		g.Expect(publishedNames(in.openStore(t, dir, recorder))).To(gomega.Equal(publishedNames(store)))
	})
}
