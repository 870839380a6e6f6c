//go:build linux

package chartrepo_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chartrepo"
)

// TestOpenReportsMissingPermission opens a folder of root as another user, as on a volume
// that does not support fsGroup.
func TestOpenReportsMissingPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can act as another user")
	}
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	g.Expect(os.Chmod(dir, 0o755)).To(gomega.Succeed())
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g.Expect(syscall.Setfsuid(65532)).To(gomega.Succeed())
	_, err := chartrepo.Open(dir, chartrepo.Options{})
	g.Expect(syscall.Setfsuid(0)).To(gomega.Succeed())
	g.Expect(err).To(gomega.MatchError(gomega.And(
		gomega.ContainSubstring("cannot write to "+dir+": permission denied;"), gomega.ContainSubstring("fsGroup"))))
}
