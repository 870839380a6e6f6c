package marketsource

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestChangesOfANamespaceAreLimited(t *testing.T) {
	g := NewWithT(t)
	var c writeLimiter
	now := time.Now()
	g.Expect(c.reserveWrites(now, "team", 100, 100)).To(BeZero(), "as many as it may have, at once")
	g.Expect(c.reserveWrites(now, "other", 100, 100)).To(BeZero(), "others are not concerned")
	g.Expect(c.reserveWrites(now, "team", 0, 100)).To(BeZero(), "no change costs nothing")
	wait := c.reserveWrites(now, "team", 100, 100)
	g.Expect(wait).To(Equal(100 * time.Second / changesPerSecond))
	g.Expect(c.reserveWrites(now, "team", 100, 100)).To(Equal(wait), "what is refused takes nothing")
	g.Expect(c.reserveWrites(now, "team", 1000, 100)).To(BeNumerically("<=", wait), "no listing is refused without end")
}

func TestRestIsInProportionToWork(t *testing.T) {
	source := &v1alpha1.MarketSource{Spec: v1alpha1.MarketSourceSpec{Interval: "10s"}}
	for _, c := range []struct {
		why  string
		took time.Duration
		want time.Duration
	}{
		{"a small source", 100 * time.Millisecond, 10 * time.Second},
		{"a source that takes long", 3 * time.Second, time.Minute},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			last := pollState{at: time.Now(), took: c.took}
			g.Expect(last.pollInterval(source)).To(Equal(c.want))
			g.Expect(last.isDue(source)).To(BeFalse())
			last.at = time.Now().Add(-c.want)
			g.Expect(last.isDue(source)).To(BeTrue())
		})
	}
}
