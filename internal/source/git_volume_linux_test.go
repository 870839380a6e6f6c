package source_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/source"
)

// TestFullVolumeIsNoInvalidKnownHosts opens a repository over SSH while the volume has no space for
// the keys of the server.
func TestFullVolumeIsNoInvalidKnownHosts(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	if err := syscall.Mount("source", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("skipped: mounting a volume requires root: %v", err)
	}
	t.Cleanup(func() { NewWithT(t).Expect(syscall.Unmount(dir, syscall.MNT_DETACH)).To(Succeed()) })
	g.Expect(os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 1<<20), 0o600)).To(MatchError(syscall.ENOSPC))
	host, _ := newSSHKey(t)
	_, key := newSSHKey(t)
	cfg := source.Config{Git: &source.GitConfig{
		URL: "ssh://git@git.example/charts.git", PrivateKey: key, Checkouts: &source.Checkouts{Dir: dir},
		KnownHosts: []byte(knownhosts.Line([]string{"git.example"}, host.PublicKey()) + "\n"),
	}}
	_, err := source.Open(cfg)
	expectOutcome(g, err, false, v1alpha1.ReasonFetchFailed)
	g.Expect(err).To(MatchError("write known_hosts to the volume of the operator: no space left on device"))

	g.Expect(os.Remove(filepath.Join(dir, "filler"))).To(Succeed())
	_, err = source.Open(cfg)
	g.Expect(err).NotTo(HaveOccurred())
	left, err := os.ReadDir(dir)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(BeEmpty())
}
