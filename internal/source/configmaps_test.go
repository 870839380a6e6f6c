package source_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source"
	"github.com/appmarket/operator/test/testenv"
)

// chartMaps are the ConfigMaps of a namespace that a source of type Upload selects.
type chartMaps struct {
	server    *testenv.Env
	namespace string
	uploaded  *uploadVolume
}

func newChartMaps(t *testing.T) *chartMaps {
	t.Helper()
	server := testenv.Start(t)
	return &chartMaps{server: server, namespace: server.Namespace(t, nil), uploaded: &uploadVolume{archives: map[string][]byte{}}}
}

func (m *chartMaps) create(t *testing.T, name, key string, data []byte) *corev1.ConfigMap {
	t.Helper()
	made := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: name, Labels: map[string]string{"charts": "team"}}, BinaryData: map[string][]byte{key: data},
	}
	m.server.Create(t, made)
	return made
}

func (m *chartMaps) open(t *testing.T, objects client.Reader) source.Source {
	t.Helper()
	opened, err := source.Open(source.Config{Upload: &source.UploadConfig{Owner: uploadOwner, Store: m.uploaded, ConfigMaps: &source.ConfigMapReader{
		Objects: objects, Namespace: m.namespace, Selector: labels.SelectorFromSet(labels.Set{"charts": "team"}),
	}}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return opened
}

// packLink returns an archive whose Chart.yaml is a link.
func packLink(t *testing.T) []byte {
	t.Helper()
	g := NewWithT(t)
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	in := tar.NewWriter(zipped)
	g.Expect(in.WriteHeader(&tar.Header{Name: "web/Chart.yaml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"})).To(Succeed())
	g.Expect(in.Close()).To(Succeed())
	g.Expect(zipped.Close()).To(Succeed())
	return out.Bytes()
}

// TestHostileConfigMaps has ConfigMaps that must not be offered. Another chart is offered.
func TestHostileConfigMaps(t *testing.T) {
	good := packTree(t, map[string]string{"good/Chart.yaml": chartText("good", "1.0.0")})
	for _, c := range []struct {
		why, key string
		data     []byte
		name     string
		reason   string
		says     string
	}{
		{why: "text", key: "a.tgz", data: []byte("s3cr3t"), name: "map/a.tgz", reason: v1alpha1.ReasonInvalidArchive},
		{why: "nothing", key: "a.tgz", data: []byte{}, name: "map/a.tgz", reason: v1alpha1.ReasonInvalidArchive},
		{why: "an archive without a chart", key: "a.tgz", data: packTree(t, map[string]string{"README.md": "x"}), name: "map/a.tgz", reason: v1alpha1.ReasonInvalidArchive},
		{why: "a link instead of Chart.yaml", key: "a.tgz", data: packLink(t), name: "map/a.tgz", reason: v1alpha1.ReasonInvalidArchive},
		{why: "a large Chart.yaml", key: "a.tgz", data: packTree(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0") + strings.Repeat("#\n", 2<<20)}), name: "map/a.tgz",
			reason: v1alpha1.ReasonInvalidArchive},
		{why: "a name that is a path", key: "a.tgz", data: packTree(t, map[string]string{"x/Chart.yaml": chartText("../x", "1.0.0")}), name: "../x", reason: v1alpha1.ReasonInvalidChart},
		{why: "a version of an uploaded chart with another content", key: "a.tgz", data: packTree(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0") + "description: other\n"}),
			name: "web", reason: v1alpha1.ReasonInvalidChart, says: "was uploaded with another content"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g, m := NewWithT(t), newChartMaps(t)
			m.uploaded.archives["1.0.0"] = []byte("uploaded")
			m.create(t, "good", "good.tgz", good)
			m.create(t, "map", c.key, c.data)
			listing, err := m.open(t, m.server.Client).List(t.Context(), hydrate.Cursor{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(offersOf(listing)).To(ConsistOf("good 1.0.0", "web 1.0.0"))
			g.Expect(listing.Skipped).To(HaveLen(1))
			g.Expect(listing.Skipped[0].Name).To(Equal(c.name))
			g.Expect(listing.Skipped[0].Err).To(MatchError(And(ContainSubstring(c.says), Not(ContainSubstring("s3cr3t")))))
			g.Expect(outcome.Reason(listing.Skipped[0].Err, v1alpha1.ReasonInvalidChart)).To(Equal(c.reason))
		})
	}
}

func TestTooManyConfigMaps(t *testing.T) {
	g, m := NewWithT(t), newChartMaps(t)
	for i := range 201 {
		m.create(t, fmt.Sprint("map-", i), "a.tgz", []byte("x"))
	}
	_, err := m.open(t, m.server.Client).List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, true, v1alpha1.ReasonLimitExceeded)
	g.Expect(err).To(MatchError(ContainSubstring("more than 200 ConfigMaps")))
}

// TestConfigMapsWithoutPermission lists ConfigMaps as a user without the role for them.
func TestConfigMapsWithoutPermission(t *testing.T) {
	g, m := NewWithT(t), newChartMaps(t)
	cfg := rest.CopyConfig(m.server.Config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:appmarket-system:appmarket"}
	nobody, err := client.New(cfg, client.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = m.open(t, nobody).List(t.Context(), hydrate.Cursor{})
	expectOutcome(g, err, true, v1alpha1.ReasonReferenceNotFound)
	g.Expect(err).To(MatchError(ContainSubstring("bind the ClusterRole appmarket-market-secrets")))
}

// TestFetchFromAnotherConfigMap fetches offers that a source does not select, or does not select any more.
func TestFetchFromAnotherConfigMap(t *testing.T) {
	m := newChartMaps(t)
	listed := m.create(t, "listed", "a.tgz", packTree(t, map[string]string{"web/Chart.yaml": chartText("web", "1.0.0")}))
	listed.Labels = nil
	NewWithT(t).Expect(m.server.Client.Update(t.Context(), listed)).To(Succeed())
	opened := m.open(t, m.server.Client)
	for why, url := range map[string]string{
		"the label was removed": "configmap:listed/a.tgz", "another key": "configmap:listed/b.tgz", "no such ConfigMap": "configmap:other/a.tgz", "no key": "configmap:listed",
		"another scheme": "https://charts.example/a.tgz",
	} {
		t.Run(why, func(t *testing.T) {
			_, err := opened.Fetch(t.Context(), hydrate.Offer{URL: url, Version: "1.0.0"})
			expectOutcome(NewWithT(t), err, true, v1alpha1.ReasonNotFound)
		})
	}
}
