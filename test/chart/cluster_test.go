package chart_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/testenv"
)

// TestOneOperatorForEachCluster checks that a second installation is rejected in any namespace.
func TestOneOperatorForEachCluster(t *testing.T) {
	server := testenv.Start(t)
	config := writeKubeconfig(t, server)
	for name, program := range helmClients(t) {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			first, second := server.Namespace(t, nil), server.Namespace(t, nil)
			chart := modulePath(t, "charts", "appmarket")
			helm := func(namespace string, args ...string) (string, error) {
				_, complaint, err := runHelm(t, program, append(args, "--kubeconfig", config, "--namespace", namespace)...)
				return complaint, err
			}
			complaint, err := helm(first, "install", "appmarket", chart, "--skip-crds")
			g.Expect(err).NotTo(HaveOccurred(), complaint)
			for _, other := range []struct{ namespace, release string }{{second, "appmarket"}, {first, "market"}} {
				complaint, err = helm(other.namespace, "install", other.release, chart, "--skip-crds")
				g.Expect(err).To(HaveOccurred(), "%v", other)
				g.Expect(complaint).To(ContainSubstring("a cluster has one AppMarket, and the release appmarket in namespace " + first + " has installed it"))
			}
			complaint, err = helm(first, "upgrade", "appmarket", chart)
			g.Expect(err).NotTo(HaveOccurred(), complaint)
			complaint, err = helm(first, "uninstall", "appmarket")
			g.Expect(err).NotTo(HaveOccurred(), complaint)
			complaint, err = helm(second, "install", "market", chart, "--skip-crds")
			g.Expect(err).NotTo(HaveOccurred(), complaint)
			complaint, err = helm(second, "uninstall", "market")
			g.Expect(err).NotTo(HaveOccurred(), complaint)
		})
	}
}

// TestNotesNameThePodSecurityLevel checks that the notes tell how to enforce the Pod Security level
// if the namespace does not enforce it.
func TestNotesNameThePodSecurityLevel(t *testing.T) {
	server := testenv.Start(t)
	config := writeKubeconfig(t, server)
	labeled := server.Namespace(t, map[string]string{"pod-security.kubernetes.io/enforce": "baseline"})
	unlabeled := server.Namespace(t, nil)
	for name, program := range helmClients(t) {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			notes := func(namespace string) string {
				out, complaint, err := runHelm(t, program, "install", "appmarket", modulePath(t, "charts", "appmarket"),
					"--skip-crds", "--kubeconfig", config, "--namespace", namespace, "--create-namespace", "--dry-run=server")
				g.Expect(err).NotTo(HaveOccurred(), complaint)
				_, after, found := strings.Cut(out, "NOTES:")
				g.Expect(found).To(BeTrue())
				return after
			}
			for _, namespace := range []string{unlabeled, "not-created-yet"} {
				g.Expect(notes(namespace)).To(ContainSubstring("kubectl label namespace " + namespace + " pod-security.kubernetes.io/enforce=restricted"))
			}
			g.Expect(notes(labeled)).NotTo(ContainSubstring("kubectl label namespace"))
		})
	}
}
