package source

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
)

// TestTagsAreCheckedWithinADay expects that each of many tags is checked within a day, and few in each listing.
func TestTagsAreCheckedWithinADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		const interval, number = 10 * time.Minute, 1000
		tags, checkedAt := &checkedTags{byTag: map[string]checkedTag{}}, map[string]time.Time{}
		var perListing []int
		for elapsed := time.Duration(0); elapsed < 7*maxTagAge; elapsed += interval {
			checked := 0
			for i := range number {
				tag := fmt.Sprint(i)
				if tags.findDigest(tag) != "" {
					g.Expect(time.Since(checkedAt[tag])).To(BeNumerically("<", maxTagAge))
					continue
				}
				checked++
				tags.keepDigest(tag, "sha256:0")
				checkedAt[tag] = time.Now()
			}
			perListing = append(perListing, checked)
			time.Sleep(interval)
		}
		g.Expect(perListing[0]).To(Equal(number))
		g.Expect(perListing[1:]).To(HaveEach(BeNumerically("<", number/20)))
	})
}
