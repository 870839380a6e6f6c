package source_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/fluxobjects"
	"github.com/appmarket/operator/test/testenv"
)

// artifactMarket opens sources of type Artifact of one object.
type artifactMarket struct {
	server *testenv.Env
	known  *kinds.Kinds
	source *v1alpha1.MarketSource
	dir    string
}

func newArtifactMarket(t *testing.T) *artifactMarket {
	t.Helper()
	server := testenv.Start(t)
	known, err := kinds.New(server.Config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	of := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(t, nil), Name: "main"}}
	of.Spec.Type, of.Spec.Artifact = v1alpha1.SourceTypeArtifact, &v1alpha1.ArtifactSource{Kind: v1alpha1.ArtifactFromGitRepository, Name: "charts"}
	return &artifactMarket{server: server, known: known, source: of, dir: t.TempDir()}
}

func (m *artifactMarket) open(t *testing.T, objects client.Reader) (source.Source, error) {
	return source.FromSpec(t.Context(), objects, m.source, source.Options{
		Network: netguard.Policy{Loopback: true}, Kinds: m.known, Checkouts: &source.Checkouts{Dir: m.dir},
	})
}

// expectProblem expects that the source cannot be opened.
func (m *artifactMarket) expectProblem(t *testing.T, reason, says string) {
	t.Helper()
	g := NewWithT(t)
	_, err := m.open(t, m.server.Client)
	g.Expect(err).To(MatchError(ContainSubstring(says)))
	g.Expect(outcome.Reason(err, "")).To(Equal(reason))
	_, isWaiting := outcome.IsWaiting(err)
	g.Expect(isWaiting).To(Equal(reason == v1alpha1.ReasonWaitingForArtifact))
}

// TestArtifactOfFlux follows an object of Flux from the creation of its CRD to its artifact.
func TestArtifactOfFlux(t *testing.T) {
	g := NewWithT(t)
	m := newArtifactMarket(t)
	m.expectProblem(t, v1alpha1.ReasonReferenceNotFound, "the cluster does not serve the kind GitRepository of source.toolkit.fluxcd.io")
	fluxobjects.InstallKind(t, m.server, "GitRepository")
	g.Eventually(func() error { _, err := m.open(t, m.server.Client); return err }, "30s", "200ms").Should(MatchError(ContainSubstring(`GitRepository "charts" does not exist in namespace`)))
	m.expectProblem(t, v1alpha1.ReasonReferenceNotFound, "create it")

	object := fluxobjects.CreateObject(t, m.server, "GitRepository", m.source.Namespace, "charts")
	m.expectProblem(t, v1alpha1.ReasonWaitingForArtifact, "has no artifact yet")
	fluxobjects.SetStatus(t, m.server, object, map[string]any{"conditions": []any{fluxobjects.NewCondition("False", "GitOperationFailed")}})
	m.expectProblem(t, v1alpha1.ReasonWaitingForArtifact, "is not ready (GitOperationFailed)")

	data := packTree(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")})
	files := startArtifactServer(t, data)
	fluxobjects.SetStatus(t, m.server, object, fluxobjects.ReadyStatus(files.url+"/a.tar.gz", chart.Digest(data)))
	opened, err := m.open(t, m.server.Client)
	g.Expect(err).NotTo(HaveOccurred())
	listing, err := opened.List(t.Context(), hydrate.Cursor{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(offersOf(listing)).To(Equal([]string{"web 1.0.0"}))

	failing := fluxobjects.ReadyStatus(files.url+"/a.tar.gz", chart.Digest(data))
	failing["conditions"] = []any{fluxobjects.NewCondition("False", "GitOperationFailed")}
	fluxobjects.SetStatus(t, m.server, object, failing)
	_, err = m.open(t, m.server.Client)
	g.Expect(err).NotTo(HaveOccurred(), "the artifact before the failure is of the same spec")
	failing["conditions"] = []any{fluxobjects.NewCondition("False", "VerificationError")}
	fluxobjects.SetStatus(t, m.server, object, failing)
	m.expectProblem(t, v1alpha1.ReasonWaitingForArtifact, "is not verified (VerificationError)")

	object.Object["spec"] = map[string]any{"interval": "20m"}
	g.Expect(m.server.Client.Update(t.Context(), object)).To(Succeed())
	m.expectProblem(t, v1alpha1.ReasonWaitingForArtifact, "its artifact is not current yet")
	fluxobjects.SetStatus(t, m.server, object, fluxobjects.ReadyStatus(files.url+"/a.tar.gz", "md5:00"))
	m.expectProblem(t, v1alpha1.ReasonInvalidSpec, "has no digest of the type sha256")
	fluxobjects.SetStatus(t, m.server, object, map[string]any{"artifact": "s3cr3t", "conditions": "s3cr3t", "observedGeneration": object.GetGeneration()})
	m.expectProblem(t, v1alpha1.ReasonWaitingForArtifact, "has no artifact yet")
}

// TestArtifactWithoutPermission reads an object as a user without the role for artifacts.
func TestArtifactWithoutPermission(t *testing.T) {
	g := NewWithT(t)
	m := newArtifactMarket(t)
	fluxobjects.InstallKind(t, m.server, "GitRepository")
	fluxobjects.CreateObject(t, m.server, "GitRepository", m.source.Namespace, "charts")
	cfg := rest.CopyConfig(m.server.Config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:appmarket-system:appmarket"}
	nobody, err := client.New(cfg, client.Options{Mapper: m.known})
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() error { _, err := m.open(t, nobody); return err }, 30*time.Second, "200ms").Should(MatchError(ContainSubstring("bind the ClusterRole appmarket-market-artifacts")))
	_, err = m.open(t, nobody)
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonReferenceNotFound))

	// An object of another namespace is not read.
	m.source.Namespace = m.server.Namespace(t, nil)
	m.expectProblem(t, v1alpha1.ReasonReferenceNotFound, "does not exist in namespace")
}
