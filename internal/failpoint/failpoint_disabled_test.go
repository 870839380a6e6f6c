//go:build !faults

package failpoint_test

import (
	"testing"

	"github.com/appmarket/operator/internal/failpoint"
)

// TestPointIsNothing dies if a normal build has faults.
func TestPointDoesNothing(t *testing.T) {
	t.Setenv("APPMARKET_FAULT", failpoint.HelmRecordFinal+"@*")
	failpoint.Point(failpoint.HelmRecordFinal, "shop/blog")
}
