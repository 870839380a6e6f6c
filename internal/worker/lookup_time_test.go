package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

func TestLookupsTakeLimitedTime(t *testing.T) {
	for _, c := range []struct {
		why       string
		each      time.Duration
		succeeded int
		total     time.Duration
	}{
		{why: "one slow lookup", each: time.Minute, succeeded: 0, total: 10 * time.Second},
		{why: "many slow lookups", each: 9 * time.Second, succeeded: 3, total: 30 * time.Second},
		{why: "many fast lookups", each: 100 * time.Millisecond, succeeded: maxLookups, total: 20 * time.Second},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				slow := &lookups{lookup: func(ctx context.Context, _ hydrate.LookupQuery) (map[string]any, error) {
					select {
					case <-time.After(c.each):
						return nil, nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}}
				started, succeeded := time.Now(), 0
				for range maxLookups {
					if !slow.answerLookup(t.Context(), hydrate.LookupQuery{Kind: "Secret"}).Failed {
						succeeded++
					}
				}
				g.Expect(succeeded).To(Equal(c.succeeded))
				g.Expect(time.Since(started)).To(Equal(c.total))
			})
		})
	}
}
