package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// setBuildVersion sets the version of the build until the test ends.
func setBuildVersion(t *testing.T, version string) {
	t.Helper()
	before := buildVersion
	buildVersion = version
	t.Cleanup(func() { buildVersion = before })
}

func TestVersionIsSetByTheBuild(t *testing.T) {
	g := NewWithT(t)
	g.Expect(ProgramVersion()).NotTo(BeEmpty(), "builds without the Makefile have a version too")
	setBuildVersion(t, "1.2.3")
	g.Expect(ProgramVersion()).To(Equal("1.2.3"))
	g.Expect(userAgent()).To(MatchRegexp(`^appmarket/1\.2\.3 \(\w+/\w+\)$`))
}

func TestVersionFlagPrintsTheVersion(t *testing.T) {
	g := NewWithT(t)
	setBuildVersion(t, "1.2.3")
	out := os.Stdout
	t.Cleanup(func() { os.Stdout = out })
	read, write, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	os.Stdout = write
	g.Expect(Run([]string{"--version"})).To(Succeed())
	g.Expect(write.Close()).To(Succeed())
	g.Expect(io.ReadAll(read)).To(BeEquivalentTo("appmarket 1.2.3\n"))
}

// TestUserAgentOfAPIRequests starts the operator with an API server that rejects all
// requests.
func TestUserAgentOfAPIRequests(t *testing.T) {
	g := NewWithT(t)
	setBuildVersion(t, "1.2.3")
	var mutex sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		seen = append(seen, r.UserAgent())
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	g.Expect(os.WriteFile(kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: %q}}]
users: [{name: test, user: {token: test}}]
`, server.URL), 0o600)).To(Succeed())
	t.Setenv("KUBECONFIG", kubeconfig)
	o, err := parseFlags([]string{
		"--store-dir=" + t.TempDir(), "--repository-bind-address=127.0.0.1:0",
		"--metrics-bind-address=0", "--health-probe-bind-address=0",
	})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	g.Expect(runOperator(ctx, o)).To(HaveOccurred())
	mutex.Lock()
	defer mutex.Unlock()
	g.Expect(seen).NotTo(BeEmpty())
	g.Expect(seen).To(HaveEach(userAgent()))
}
