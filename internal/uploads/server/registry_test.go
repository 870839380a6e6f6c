package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/chart"
)

// runHelm runs a helm command with a configuration of its own.
func runHelm(t *testing.T, program, home string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = home
	command.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	output, err := command.CombinedOutput()
	return string(output), err
}

func TestHelmPushesAndPulls(t *testing.T) {
	for _, variable := range []string{"HELM3", "HELM4"} {
		t.Run(variable, func(t *testing.T) {
			program := os.Getenv(variable)
			if program == "" {
				t.Skipf("skipped: %s is not set", variable)
			}
			g, m, home := NewWithT(t), startMarket(t), t.TempDir()
			host := strings.TrimPrefix(m.url, "http://")
			archive := newArchive(t, "web", "1.0.0+b.1", "a")
			file := filepath.Join(home, "web.tgz")
			g.Expect(os.WriteFile(file, archive, 0o600)).To(Succeed())
			helm := func(args ...string) (string, error) { return runHelm(t, program, home, args...) }

			out, err := helm("push", file, "oci://"+host+"/market/team", "--plain-http")
			g.Expect(err).To(HaveOccurred(), "without a token: %s", out)
			out, err = helm("registry", "login", host, "--username", "x", "--password", all, "--plain-http")
			g.Expect(err).NotTo(HaveOccurred(), out)
			for range 2 {
				out, err = helm("push", file, "oci://"+host+"/market/team", "--plain-http")
				g.Expect(err).NotTo(HaveOccurred(), out)
				g.Expect(<-m.changed).To(Equal(team))
			}
			out, err = helm("pull", "oci://"+host+"/market/team/web", "--version", "1.0.0+b.1", "--plain-http")
			g.Expect(err).NotTo(HaveOccurred(), out)
			g.Expect(os.ReadFile(filepath.Join(home, "web-1.0.0+b.1.tgz"))).To(Equal(archive))

			g.Expect(os.WriteFile(file, newArchive(t, "web", "1.0.0+b.1", "b"), 0o600)).To(Succeed())
			out, err = helm("push", file, "oci://"+host+"/market/team", "--plain-http")
			g.Expect(err).To(HaveOccurred(), out)
			g.Expect(out).To(ContainSubstring("allowOverwrite"), "the cause is shown")
			out, err = helm("push", file, "oci://"+host+"/market/absent", "--plain-http")
			g.Expect(err).To(HaveOccurred(), out)
		})
	}
}

func TestRegistryProtocol(t *testing.T) {
	g, m := NewWithT(t), startMarket(t)
	const repo = "/v2/market/team/web"
	g.Expect(m.send(http.MethodGet, "/v2/", "", nil).header.Get("WWW-Authenticate")).To(HavePrefix("Basic "))
	g.Expect(m.send(http.MethodGet, "/v2/", "nothing", nil).status).To(Equal(http.StatusOK), "a valid token without rights")
	archive, config := newArchive(t, "web", "1.0.0", "a"), []byte("{}")
	started := m.send(http.MethodPost, repo+"/blobs/uploads/", all, nil)
	g.Expect(started.status).To(Equal(http.StatusAccepted))
	session := started.header.Get("Location")
	g.Expect(m.send(http.MethodPatch, session, all, archive[:50]).header.Get("Range")).To(Equal("0-49"))
	g.Expect(m.send(http.MethodPatch, session, all, archive[50:], "Content-Range", "10-20").status).To(Equal(http.StatusRequestedRangeNotSatisfiable))
	g.Expect(m.send(http.MethodGet, session, all, nil).header.Get("Range")).To(Equal("0-49"))
	done := m.send(http.MethodPut, session+"?digest="+chart.Digest(archive), all, archive[50:])
	g.Expect(done.status).To(Equal(http.StatusCreated), done.body)
	g.Expect(m.send(http.MethodPost, repo+"/blobs/uploads/?digest="+chart.Digest(config), all, config).status).To(Equal(http.StatusCreated))

	manifest := bytes.ReplaceAll(newManifest(chart.Digest(archive), chart.Digest(config)), []byte(`"size":9`), fmt.Appendf(nil, `"size":%d`, len(archive)))
	g.Expect(m.send(http.MethodPut, repo+"/manifests/2.0.0", all, manifest).status).To(Equal(http.StatusUnprocessableEntity), "another version")
	put := m.send(http.MethodPut, repo+"/manifests/1.0.0", all, manifest)
	g.Expect(put.status).To(Equal(http.StatusCreated), put.body)
	g.Expect(put.header.Get("Docker-Content-Digest")).To(Equal(chart.Digest(manifest)))
	for _, reference := range []string{"1.0.0", chart.Digest(manifest)} {
		got := m.send(http.MethodGet, repo+"/manifests/"+reference, "get", nil)
		g.Expect(got.body).To(Equal(string(manifest)))
		g.Expect(got.header.Get("Content-Type")).To(Equal("application/vnd.oci.image.manifest.v1+json"))
	}
	g.Expect(m.send(http.MethodGet, repo+"/tags/list", "get", nil).body).To(Equal("{\"name\":\"market/team/web\",\"tags\":[\"1.0.0\"]}\n"))
	g.Expect(m.send(http.MethodGet, repo+"/manifests/"+chart.Digest(archive), "get", nil).status).To(Equal(http.StatusNotFound), "a digest that is not a manifest")
	g.Expect(m.send(http.MethodGet, repo+"/manifests/3.0.0", "get", nil).body).To(ContainSubstring("MANIFEST_UNKNOWN"))
	g.Expect(m.send(http.MethodGet, "/v2/market/team/api/manifests/"+chart.Digest(manifest), "get", nil).status).To(Equal(http.StatusNotFound), "of another chart")
	g.Expect(m.send(http.MethodDelete, repo+"/manifests/1.0.0", all, nil).status).To(Equal(http.StatusMethodNotAllowed))

	stopped := m.send(http.MethodPost, repo+"/blobs/uploads/", all, nil).header.Get("Location")
	g.Expect(m.send(http.MethodDelete, stopped, all, nil).status).To(Equal(http.StatusNoContent))
	g.Expect(m.send(http.MethodGet, stopped, all, nil).status).To(Equal(http.StatusNotFound))
}
