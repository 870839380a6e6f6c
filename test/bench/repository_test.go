package bench_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

// serveRepository measures the rate of downloads of an archive of median size and of the index,
// alternately from the operator and from nginx.
func (m *benchmark) serveRepository() {
	m.ensureMarket()
	archive, index := m.medianArchive(), m.market.Status.RepositoryURL+"/index.yaml"
	pages := []download{
		{name: "archive", budget: "≥ 0.8 × nginx", url: archive, content: m.downloadContent(archive)},
		{name: "index", url: index, content: m.downloadContent(index)},
	}
	nginx := m.startNginx(pages)
	for _, p := range pages {
		ours, theirs := m.measureAlternately(p, nginx)
		r := resultRow{
			work:   fmt.Sprintf("repository: %s of %.1f kB, %d connections", p.name, float64(len(p.content))/1000, connections),
			figure: fmt.Sprintf("%.0f requests/s", ours), budget: p.budget,
		}
		if nginx != "" {
			r.reference, r.ratio = fmt.Sprintf("nginx %.0f requests/s", theirs), formatRatio(ours, theirs)
		}
		m.table.addRow(r)
	}
}

// download is a URL to download.
type download struct {
	name    string
	budget  string
	url     string
	content []byte
}

// measureAlternately returns the medians of several rounds for the operator and for nginx, if nginx is
// available.
func (m *benchmark) measureAlternately(p download, nginx string) (ours, theirs float64) {
	m.b.Helper()
	const rounds, each = 5, 2 * time.Second
	var mine, others []float64
	for range rounds {
		mine = append(mine, m.measureRate(p.url, p, each))
		if nginx != "" {
			others = append(others, m.measureRate(nginx+"/"+p.name, p, each))
		}
	}
	return median(mine), median(others)
}

func (m *benchmark) measureRate(url string, p download, during time.Duration) float64 {
	m.b.Helper()
	rate, err := measureRate(url, int64(len(p.content)), during)
	m.Expect(err).NotTo(HaveOccurred())
	return rate
}

// median returns the median of an odd number of figures, and 0 of none.
func median[N cmp.Ordered](figures []N) N {
	if len(figures) == 0 {
		return *new(N)
	}
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[len(sorted)/2]
}

// ensureMarket creates the source of the sample market if there is no source yet.
func (m *benchmark) ensureMarket() {
	m.b.Helper()
	if m.market == nil {
		m.market = m.applySamples()
	}
}

// applySamples creates the source of the sample market and waits until its apps are served.
func (m *benchmark) applySamples() *v1alpha1.MarketSource {
	m.b.Helper()
	m.createNamespace(marketNamespace)
	return m.applySource("samples", v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: m.samples.URL}})
}

// medianArchive returns the URL of the archive of median size.
func (m *benchmark) medianArchive() string {
	m.b.Helper()
	type archive struct {
		url  string
		size int
	}
	var all []archive
	for _, app := range m.listApps() {
		for _, version := range app.Status.Versions {
			all = append(all, archive{version.URL, len(m.downloadContent(version.URL))})
		}
	}
	m.Expect(all).NotTo(BeEmpty())
	slices.SortFunc(all, func(a, b archive) int { return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.url, b.url)) })
	return all[len(all)/2].url
}

func (m *benchmark) downloadContent(url string) []byte {
	m.b.Helper()
	answer, err := http.Get(url)
	m.Expect(err).NotTo(HaveOccurred())
	defer answer.Body.Close()
	m.Expect(answer.StatusCode).To(Equal(http.StatusOK), url)
	content, err := io.ReadAll(answer.Body)
	m.Expect(err).NotTo(HaveOccurred())
	return content
}

// startNginx serves the pages as files and returns its address, or "" if nginx is not installed.
func (m *benchmark) startNginx(pages []download) string {
	m.b.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		m.table.addSkipped("comparison with nginx", "nginx is not installed; install the Debian package nginx-light")
		return ""
	}
	dir := filepath.Join(m.scratch, "nginx")
	m.Expect(os.MkdirAll(filepath.Join(dir, "pages"), 0o755)).To(Succeed())
	for _, p := range pages {
		m.Expect(os.WriteFile(filepath.Join(dir, "pages", p.name), p.content, 0o644)).To(Succeed())
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // The default user cannot read the folder.
	}
	address, config := m.freeAddress(), filepath.Join(dir, "nginx.conf")
	m.Expect(os.WriteFile(config, fmt.Appendf(nil, nginxForm, user, runtime.NumCPU(), dir, address), 0o644)).To(Succeed())
	server, err := startProcess(filepath.Join(dir, "nginx.log"), program, []string{"-p", dir, "-c", config, "-e", "stderr"}, nil)
	m.Expect(err).NotTo(HaveOccurred())
	m.b.Cleanup(func() {
		if err := server.stopProcess(); err != nil {
			m.b.Errorf("stop nginx: %v", err)
		}
	})
	url := "http://" + address
	m.Eventually(func() error { return fetchURL(url + "/index") }, 10*time.Second, 20*time.Millisecond).Should(Succeed(), func() string {
		text, _ := os.ReadFile(server.log) // possibly incomplete
		return string(text)
	})
	return url
}

// nginxForm formats a configuration that is tuned for speed from a line about the user, the number
// of CPUs, the folder and the address.
const nginxForm = `%s
daemon off;
worker_processes %d;
pid %[3]s/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  open_file_cache max=100;
  client_body_temp_path %[3]s/body;
  proxy_temp_path %[3]s/proxy;
  fastcgi_temp_path %[3]s/fastcgi;
  uwsgi_temp_path %[3]s/uwsgi;
  scgi_temp_path %[3]s/scgi;
  server {
    listen %[4]s;
    root %[3]s/pages;
  }
}
`
