package command_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/plugin/repository"
)

// serveReports creates an app whose repository has reports, and its Service.
func serveReports(p *plugin, name string) *servedApps {
	s := p.newServedApps()
	namespace := p.namespace(name)
	s.reports = map[string]string{
		"values.yaml": "replicas: 1\n\ttab: yes\n", "values.schema.json": "{\"type\": \"object\"}\n", "objects.yaml": "apiVersion: v1\nkind: Service\n",
		"README.md": "# Wiki\r\n\x1b]0;title\x07\x1b[2J\u009b31mPages for a team\n",
	}
	wiki := s.add(namespace, "wiki", "2.4.0", fmt.Sprintf(samplesImages, 1), "null")
	s.addVersion(wiki, "2.3.0", `[{"reference":"web:1","name":"registry.example/web:0","where":[]},{"reference":"x","name":"docker.io/library/db:2","where":[]}]`)
	s.reports = map[string]string{"README.md": strings.Repeat("x", repository.MaxReportBytes+1)}
	s.add(namespace, "large", "1.0.0", "[]", "null")
	p.env.Create(p.t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "repository", Labels: map[string]string{"catalog.headlamp.dev/is-catalog": ""}},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	})
	return s
}

func TestReports(t *testing.T) {
	p := newPlugin(t)
	s := serveReports(p, "reports")
	requests := p.startGateway("/api/v1/namespaces/reports/services/repository:http/proxy", s.handler())
	in := " --market reports --operator-namespace reports"
	expectGolden(t, "show-reports",
		p.run("show wiki --values"+in), p.run("show wiki --schema"+in), p.run("show wiki --readme"+in), p.run("show wiki --objects --version 2.x"+in), p.run("show wiki --permissions"+in),
		p.run("show large --values"+in), p.run("show large --readme"+in), p.run("show wiki --values --version 9.0.0"+in), p.run("show wiki --values --readme"+in),
		p.run("show wiki --values -o yaml"+in), p.run("show wiki --version 2.4.0"+in), p.run("show wiki --values --token-file x"+in),
		p.run("show wiki --values --market reports --operator-namespace missing"))
	expectGolden(t, "images-all-versions",
		p.run("images wiki --all-versions"+in), p.run("images wiki --all-versions -o wide"+in), p.run("images wiki --all-versions -o name"+in),
		p.run("images --source samples --all-versions --list plain"+in), p.run("images wiki --all-versions --platform linux/arm64"+in))
	for _, request := range requests.take() {
		NewWithT(t).Expect(request).To(HavePrefix("GET "), "the command writes nothing")
	}
	t.Log("a URL is read directly")
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	g := NewWithT(t)
	found := p.run("show wiki --values --market reports --repository-url " + server.URL)
	g.Expect(found.out).To(Equal("replicas: 1\n\ttab: yes\n"), found.errOut)
	s.private["reports"] = true
	g.Expect(p.run("show wiki --objects --market reports --repository-url " + server.URL).code).To(Equal(1))
}

// TestReportsWithoutTheRepository runs the commands as a user who can only read the apps, against an API server that
// refuses the proxy of the Service.
func TestReportsWithoutTheRepository(t *testing.T) {
	p := newPlugin(t)
	serveReports(p, "statusonly")
	p.env.Allow(t, "statusonly", "reader",
		rbacv1.PolicyRule{APIGroups: []string{"appmarket.io"}, Resources: []string{"appinfos"}, Verbs: []string{"get", "list"}},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list"}})
	p.kubeconfig = writeKubeconfig(t, p.env.Config, "system:serviceaccount:statusonly:reader")
	in := " --market statusonly --operator-namespace statusonly"
	expectGolden(t, "show-status-only",
		p.run("show samples/wiki --objects"+in), p.run("show samples/wiki --permissions"+in), p.run("show samples/wiki --readme"+in), p.run("show samples/wiki --values"+in), p.run("show samples/wiki --schema"+in),
		p.run("show samples/wiki --objects --market statusonly --operator-namespace other"),
		p.run("images samples/wiki --all-versions"+in))
}
