//go:build !faults

package fault_test

import (
	"testing"

	"github.com/appmarket/operator/internal/fault"
)

// TestPointIsNothing dies if a normal build has faults.
func TestPointIsNothing(t *testing.T) {
	t.Setenv("APPMARKET_FAULT", fault.HelmRecordFinal+"@*")
	fault.Point(fault.HelmRecordFinal, "shop/blog")
}
