package bench_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/repo"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/source"
)

// readIndexes measures the reading of two large indexes, by the adapter over HTTP and by Helm's
// loader from the file, each in its own process.
func (m *benchmark) readIndexes() {
	for _, size := range []struct {
		charts, megabytes int
		budget            string
	}{
		{270, 26, "≤ 96 MiB"},
		{1030, 100, "≤ 160 MiB"},
	} {
		dir := filepath.Join(m.scratch, fmt.Sprintf("index-%d", size.megabytes))
		m.Expect(os.MkdirAll(dir, 0o755)).To(Succeed())
		file := filepath.Join(dir, "index.yaml")
		bytes, err := writeIndex(file, size.charts)
		m.Expect(err).NotTo(HaveOccurred())
		server := httptest.NewServer(http.FileServer(http.Dir(dir)))
		ours := m.runChildProcess("source", server.URL)
		server.Close()
		helms := m.runChildProcess("helm", file)
		m.Expect(os.Remove(file)).To(Succeed())
		m.Expect(ours.Count).To(Equal(size.charts))
		m.Expect(helms.Count).To(Equal(size.charts))
		work := fmt.Sprintf("read an index of %d MB with %d entries", bytes/1_000_000, size.charts*versionsPerChart)
		m.table.addRow(resultRow{
			work: work + ": peak memory", budget: size.budget,
			figure:    fmt.Sprintf("%s (%s before)", formatMemory(ours.Peak), formatMemory(ours.Before)),
			reference: "Helm's loader " + formatMemory(helms.Peak), ratio: formatRatio(ours.Peak, helms.Peak),
		})
		m.table.addRow(resultRow{
			work: work + ": time", figure: formatDuration(ours.Took),
			reference: "Helm's loader " + formatDuration(helms.Took), ratio: formatRatio(ours.Took, helms.Took),
		})
	}
}

const versionsPerChart = 100

// writeIndex writes an index like a large repository, with about 970 bytes for each
// version, and returns its length.
func writeIndex(path string, charts int) (int64, error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	out := bufio.NewWriterSize(file, 1<<20)
	fmt.Fprint(out, "apiVersion: v1\nentries:\n")
	for chart := range charts {
		name := fmt.Sprintf("application-%04d", chart)
		fmt.Fprintf(out, "  %s:\n", name)
		for version := versionsPerChart; version > 0; version-- {
			number := fmt.Sprintf("%d.%d.%d", 1+version/20, version%20/4, version%4)
			fmt.Fprintf(out, entryForm, name, name, number, number, sha256.Sum256([]byte(name+number)))
		}
	}
	fmt.Fprint(out, "generated: \"2026-01-02T03:04:05Z\"\n")
	if err := out.Flush(); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// entryForm formats one entry from the app name, the chart name, the version and the digest.
const entryForm = `  - annotations:
      category: Infrastructure
      images: |
        - name: %[1]s
          image: registry.example.com/library/%[1]s:%[3]s-r0
      licenses: Apache-2.0
    apiVersion: v2
    appVersion: %[4]s
    created: "2026-01-02T03:04:05.678901234Z"
    dependencies:
    - name: common
      repository: oci://registry.example.com/charts
      tags:
      - shared-templates
      version: 2.x.x
    description: A service as in a large repository, highly available.
    digest: %[5]x
    home: https://example.com/%[1]s
    icon: https://example.com/%[1]s/stack.png
    keywords:
    - service
    - %[1]s
    maintainers:
    - name: The maintainers
      url: https://example.com/charts
    name: %[2]s
    sources:
    - https://example.com/charts/tree/main/%[1]s
    urls:
    - https://charts.example.com/%[1]s-%[3]s.tgz
    version: %[3]s
`

// readIndexAsSource is a child that reads an index as the operator does.
func readIndexAsSource(url string) (int, time.Duration, error) {
	from, err := source.Open(source.Config{Helm: &source.HelmConfig{URL: url}, Network: netguard.Policy{Loopback: true}})
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	listing, err := from.List(context.Background(), hydrate.Cursor{})
	if err != nil {
		return 0, 0, err
	}
	if len(listing.Skipped) > 0 {
		return 0, 0, fmt.Errorf("skipped %q: %w", listing.Skipped[0].Name, listing.Skipped[0].Err)
	}
	return len(listing.Apps), time.Since(begin), nil
}

// readIndexAsHelm is a child that loads an index file as `helm repo update` does after the
// download.
func readIndexAsHelm(file string) (int, time.Duration, error) {
	begin := time.Now()
	index, err := repo.LoadIndexFile(file)
	if err != nil {
		return 0, 0, err
	}
	return len(index.Entries), time.Since(begin), nil
}
