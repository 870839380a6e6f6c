package text_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/text"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 entries", 1: "1 entry", 2: "2 entries"} {
		NewWithT(t).Expect(text.Count(n, "entry", "entries")).To(Equal(want))
	}
}
