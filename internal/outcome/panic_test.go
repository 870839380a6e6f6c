package outcome_test

import (
	"errors"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/appmarket/operator/internal/outcome"
)

var errBroken = errors.New("broken")

func TestRecover(t *testing.T) {
	var none map[string]int
	for _, c := range []struct {
		why      string
		do       func() error
		panicked bool
		want     string
	}{
		{why: "a function without an error", do: func() error { return nil }},
		{why: "an error is returned unchanged", do: func() error { return errBroken }, want: "broken"},
		{why: "a panic with a text", do: func() error { panic("no room") }, panicked: true, want: "no room"},
		{why: "a panic with an error", do: func() error { panic(errBroken) }, panicked: true, want: "broken"},
		{why: "a panic of the runtime", do: func() error { none["a"] = 1; return nil }, panicked: true, want: "nil map"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var group errgroup.Group
			group.Go(outcome.Guarded(c.do))
			err := group.Wait()
			if c.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			p, panicked := errors.AsType[*outcome.Panic](err)
			g.Expect(panicked).To(Equal(c.panicked))
			g.Expect(outcome.IsStalled(err)).To(BeFalse(), "a panic is retried")
			if panicked {
				g.Expect(string(p.Stack)).To(ContainSubstring("TestRecover"))
			}
		})
	}
}
