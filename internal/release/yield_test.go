package release_test

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/release"
)

func TestYield(t *testing.T) {
	g := NewWithT(t)
	var did []string
	ctx := release.WithYield(t.Context(), func() func() {
		did = append(did, "yields")
		return func() { did = append(did, "resumes") }
	})
	resume := release.Yield(context.WithoutCancel(ctx))
	g.Expect(did).To(Equal([]string{"yields"}))
	resume()
	g.Expect(did).To(Equal([]string{"yields", "resumes"}))
	release.Yield(t.Context())()
	g.Expect(did).To(HaveLen(2))
}
