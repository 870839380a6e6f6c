package appinfo

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/hydrate"
)

// TestDraftsAreBoundedInBytes keeps drafts of large apps, which fail because the disk is
// full.
func TestDraftsAreBoundedInBytes(t *testing.T) {
	g := NewWithT(t)
	var kept draftCache
	full := errors.New("the disk is full")
	keep := func(app string, bytes int) {
		half := make([]byte, bytes/2)
		kept.storeDraft(types.UID(app), hydrationJob{}, &hydrate.Draft{FileCount: 1, Archive: half, Reports: map[string][]byte{"objects.yaml": half}}, full)
	}
	for i := range 4 {
		keep(fmt.Sprint(i), 20<<20)
	}
	g.Expect(kept.takeDraft("0", hydrationJob{}).FileCount).To(BeZero(), "the oldest was forgotten")
	for i := 1; i < 4; i++ {
		g.Expect(kept.takeDraft(types.UID(fmt.Sprint(i)), hydrationJob{}).FileCount).To(Equal(1))
	}
	keep("alone", 65<<20)
	g.Expect(kept.takeDraft("alone", hydrationJob{}).FileCount).To(BeZero())
	g.Expect(kept.order.Len()).To(BeZero())
}
