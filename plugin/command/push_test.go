package command_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/uploads"
	"github.com/appmarket/operator/internal/uploads/server"
)

// chartReader reads charts as a worker does.
type chartReader struct{}

func (chartReader) ReadMetadata(_ context.Context, _ string, archive []byte) (chart.Metadata, error) {
	files, err := chart.Unpack(archive)
	if err != nil {
		return chart.Metadata{}, err
	}
	return chart.ReadMetadata(files)
}

// startUploads serves uploads to every source, and reviews tokens at the API server.
func (p *plugin) startUploads() string {
	p.t.Helper()
	g := NewWithT(p.t)
	reviewer, err := access.New(p.env.Config, access.Options{Audience: "appmarket.io"})
	g.Expect(err).NotTo(HaveOccurred())
	store, err := uploads.Open(p.t.TempDir(), uploads.Options{Reader: chartReader{}})
	g.Expect(err).NotTo(HaveOccurred())
	s := httptest.NewServer(server.Handler(server.Options{
		Store: store, Review: reviewer.Review, Log: logr.Discard(), Ready: func() bool { return true },
		Source:  func(context.Context, hydrate.Owner) (uploads.Limits, bool, error) { return uploads.Limits{}, true, nil },
		Users:   func(context.Context, hydrate.Owner, string, string) ([]types.NamespacedName, error) { return nil, nil },
		Changed: func(context.Context, hydrate.Owner) error { return nil },
	}, http.NotFoundHandler()))
	p.t.Cleanup(func() {
		s.Close()
		_ = store.Close()
	})
	return s.URL
}

// push runs the command for an archive that differs by a text. The result does not contain the folder of the file.
func (p *plugin) push(name, text, flags string) result {
	p.t.Helper()
	g, dir := NewWithT(p.t), p.t.TempDir()
	archive, err := chart.Pack("web", []chart.File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}, {Name: "templates/a.yaml", Data: []byte("# " + text + "\n")},
	})
	g.Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(dir, name)
	g.Expect(os.WriteFile(file, archive, 0o600)).To(Succeed())
	r := p.run("push " + file + " " + flags)
	r.arguments[1], r.errOut = name, strings.ReplaceAll(r.errOut, dir+"/", "")
	return r
}

func TestPush(t *testing.T) {
	p := newPlugin(t)
	namespace := p.namespace("pushes")
	p.env.Allow(t, namespace, "publisher", rbacv1.PolicyRule{
		APIGroups: []string{"appmarket.io"}, Resources: []string{"marketsources/upload"}, Verbs: []string{"create", "get"},
	})
	p.env.Allow(t, namespace, "reader", rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"marketsources"}, Verbs: []string{"get"}})
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	p.createWithStatus(&v1alpha1.MarketSource{
		ObjectMeta: meta("team"), Spec: v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeUpload, Upload: &v1alpha1.UploadSource{}},
		Status: v1alpha1.MarketSourceStatus{RepositoryURL: p.startUploads() + "/" + namespace + "/team"},
	})
	p.env.Create(t,
		&v1alpha1.MarketSource{ObjectMeta: meta("new"), Spec: v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeUpload, Upload: &v1alpha1.UploadSource{}}},
		&v1alpha1.MarketSource{ObjectMeta: meta("other"), Spec: v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example"}}})
	to := func(source, account string) string {
		return "--to " + source + " --service-account " + account + " -n " + namespace
	}
	expectGolden(t, "push",
		p.push("web-1.0.0.tgz", "one", to("team", "publisher")), p.push("web-1.0.0.tgz", "one", to("team", "publisher")),
		p.push("web-1.0.0.tgz", "two", to("team", "publisher")), p.push("api-1.0.0.tgz", "one", to("team", "publisher")),
		p.push("web-1.0.0.tgz", "one", to("team", "reader")), p.push("web-1.0.0.tgz", "one", to("team", "absent")),
		p.push("web-1.0.0.tgz", "one", to("new", "publisher")), p.push("web-1.0.0.tgz", "one", to("other", "publisher")),
		p.push("web-1.0.0.tgz", "one", to("absent", "publisher")), p.push("web-1.0.0.tgz", "one", "--to team -n "+namespace),
		p.push("web-1.0.0.tgz", "one", "--service-account publisher -n "+namespace))
}
