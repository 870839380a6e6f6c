package leaderfence

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
)

func TestNewLockHasAUniqueIdentity(t *testing.T) {
	g := NewWithT(t)
	cfg := &rest.Config{Host: "https://cluster.example", UserAgent: "appmarket"}
	one, err := NewLock(t.Context(), cfg, Lease{Namespace: "system", Name: "appmarket.io"})
	g.Expect(err).NotTo(HaveOccurred())
	two, err := NewLock(t.Context(), cfg, Lease{Namespace: "system", Name: "appmarket.io"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(one.Describe()).To(Equal("system/appmarket.io"))
	host, err := os.Hostname()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(one.Identity()).To(HavePrefix(host + "_"))
	g.Expect(one.Identity()).NotTo(Equal(two.Identity()), "two processes of a host have different identities")
	g.Expect(cfg.UserAgent).To(Equal("appmarket"))
	g.Expect(cfg.Timeout).To(BeZero())
}

func TestPodNamespace(t *testing.T) {
	for _, c := range []struct {
		why, text, want string
		fails           bool
	}{
		{why: "in a pod", text: "appmarket-system", want: "appmarket-system"},
		{why: "with a line break", text: "appmarket-system\n", want: "appmarket-system"},
		{why: "empty", text: "\n", fails: true},
		{why: "not in a pod", fails: true},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			file := filepath.Join(t.TempDir(), "namespace")
			if c.text != "" {
				g.Expect(os.WriteFile(file, []byte(c.text), 0o600)).To(Succeed())
			}
			namespace, err := podNamespace(file)
			g.Expect(err != nil).To(Equal(c.fails), "%v", err)
			g.Expect(namespace).To(Equal(c.want))
		})
	}
}
