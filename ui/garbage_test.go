package ui

import (
	"runtime/debug"
	"testing"

	. "github.com/onsi/gomega"
)

func TestGarbageIsLimited(t *testing.T) {
	g := NewWithT(t)
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	t.Setenv("GOGC", "200")
	limitGarbage()
	g.Expect(debug.SetGCPercent(100)).To(Equal(100), "GOGC takes precedence")
	t.Setenv("GOGC", "")
	limitGarbage()
	g.Expect(debug.SetGCPercent(100)).To(Equal(garbagePercent))
}
