package collector

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestSnapshotAgeGrowsWithItsCost(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		10 * time.Millisecond: 10 * time.Second,
		2 * time.Second:       100 * time.Second,
		time.Minute:           5 * time.Minute,
	} {
		NewWithT(t).Expect(snapshotAge(took)).To(Equal(want), "requests took %s", took)
	}
}
