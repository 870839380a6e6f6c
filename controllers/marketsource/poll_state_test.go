package marketsource

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// TestDelayOfAttempts starts each attempt as early as the previous one allows.
func TestDelayOfAttempts(t *testing.T) {
	source := &v1alpha1.MarketSource{Spec: v1alpha1.MarketSourceSpec{Interval: "1m"}}
	broken := errors.New("broken")
	for _, c := range []struct {
		why  string
		errs []error
		want time.Duration
	}{
		{"after an answer", []error{nil}, 0},
		{"after a failure", []error{broken}, time.Second},
		{"after several", []error{broken, broken, broken, broken}, 8 * time.Second},
		{"never longer than the interval", []error{broken, broken, broken, broken, broken, broken, broken, broken, broken}, time.Minute},
		{"an answer begins again", []error{broken, broken, nil, broken}, time.Second},
		{"as the server says", []error{outcome.Waiting(v1alpha1.ReasonRateLimited, 30*time.Second, broken)}, 30 * time.Second},
		{"of what only another spec or source ends", []error{outcome.Stalled(v1alpha1.ReasonNotFound, broken)}, time.Minute},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var last pollState
			for _, err := range c.errs {
				last = last.afterRequest(source, err)
			}
			g.Expect(last.until.Sub(last.at)).To(Equal(c.want))
			g.Expect(last.isBackoffActive(source)).To(Equal(c.want > 0))
			source := source.DeepCopy()
			source.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: "now"}
			g.Expect(last.isBackoffActive(source)).To(BeFalse(), "a request is handled")
		})
	}
}

func TestRepairsOfMissingApps(t *testing.T) {
	for repairs, want := range map[int]time.Duration{0: cacheSettleDelay, 1: 2 * cacheSettleDelay, 3: 8 * cacheSettleDelay} {
		g := NewWithT(t)
		last := pollState{at: time.Now().Add(-want), repairs: repairs}
		g.Expect(last.canRepair()).To(BeTrue())
		last.at = time.Now().Add(-want / 2)
		g.Expect(last.canRepair()).To(BeFalse())
	}
}
