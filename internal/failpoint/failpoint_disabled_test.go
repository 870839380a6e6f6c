//go:build !faults

package failpoint_test

import (
	"testing"

	"github.com/appmarket/operator/internal/failpoint"
)

// TestPointDoesNothing is killed if failpoints are enabled in a normal build.
func TestPointDoesNothing(t *testing.T) {
	t.Setenv("APPMARKET_FAULT", failpoint.HelmRecordFinal+"@*")
	failpoint.Point(failpoint.HelmRecordFinal, "shop/blog")
}
