package hostile_test

import (
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// archiveCase returns the archive of the valid chart with additional entries.
func archiveCase(reason string, more ...fixture.TarEntry) func() hydrationCase {
	return func() hydrationCase {
		return hydrationCase{archive: fixture.TarGzip(append(newChart(nil).TarEntries(), more...)...), reason: reason}
	}
}

// manyFiles returns entries of small files.
func manyFiles(count int) []fixture.TarEntry {
	entries := make([]fixture.TarEntry, count)
	for i := range entries {
		entries[i] = fixture.TarEntry{Name: fmt.Sprintf("victim/files/%05d", i), Text: "x"}
	}
	return entries
}

// largeFiles returns entries whose total size exceeds the limit of a chart.
func largeFiles() []fixture.TarEntry {
	var entries []fixture.TarEntry
	text := randomText(256<<10) + strings.Repeat("x", 4<<20)
	for i := range 20 {
		entries = append(entries, fixture.TarEntry{Name: fmt.Sprintf("victim/files/%d", i), Text: text})
	}
	return entries
}

// nestedArchive returns a chart whose dependency is an archive, nested to the given depth, with an archive
// bomb in the innermost one.
func nestedArchive(depth int) []byte {
	inner := fixture.TarGzip(append(newChart(nil).TarEntries(), fixture.TarEntry{Name: "victim/files/bomb", Text: strings.Repeat("\x00", 64<<20)})...)
	for range depth {
		inner = newChart(fixture.Files{"charts/victim-1.0.0.tgz": string(inner)}).Archive()
	}
	return inner
}

// endlessBody sends bytes until the client closes the connection.
func endlessBody(w http.ResponseWriter, r *http.Request) {
	block := []byte(randomText(64 << 10))
	for r.Context().Err() == nil {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

var _ = DescribeTable("An archive", func(ctx SpecContext, archive func() hydrationCase) {
	runAttack(ctx, func() string { return hydrateApp(ctx, newTenant(ctx), archive()) })
},
	Entry("with a file of 64 MiB that is compressed to a few bytes", func() hydrationCase {
		return archiveCase(v1alpha1.ReasonLimitExceeded, fixture.TarEntry{Name: "victim/zeros", Text: strings.Repeat("\x00", 64<<20)})()
	}),
	Entry("with 20 files of 85 MiB", func() hydrationCase { return archiveCase(v1alpha1.ReasonLimitExceeded, largeFiles()...)() }),
	Entry("with 10,000 files", func() hydrationCase { return archiveCase(v1alpha1.ReasonLimitExceeded, manyFiles(10_000)...)() }),
	Entry("with a path of 1,000 folders", archiveCase(v1alpha1.ReasonLimitExceeded, fixture.TarEntry{Name: "victim/" + strings.Repeat("a/", 1000) + "b"})),
	Entry("with a link to /etc/passwd", archiveCase(v1alpha1.ReasonInvalidArchive, fixture.TarEntry{Name: "victim/values.yaml", Link: "/etc/passwd", Type: '2'})),
	Entry("with a hard link", archiveCase(v1alpha1.ReasonInvalidArchive, fixture.TarEntry{Name: "victim/values.yaml", Link: "victim/Chart.yaml", Type: '1'})),
	Entry("with a device", archiveCase(v1alpha1.ReasonInvalidArchive, fixture.TarEntry{Name: "victim/zero", Type: '3'})),
	Entry("with a path outside of its folder", archiveCase(v1alpha1.ReasonInvalidArchive, fixture.TarEntry{Name: "victim/../../../etc/cron.d/x", Text: "x"})),
	Entry("with an absolute path", archiveCase(v1alpha1.ReasonInvalidArchive, fixture.TarEntry{Name: "/etc/cron.d/x", Text: "x"})),
	Entry("that is truncated", func() hydrationCase {
		whole := newChart(fixture.Files{"files/noise": randomText(100 << 10)}).Archive()
		return hydrationCase{archive: whole[:len(whole)/2], reason: v1alpha1.ReasonInvalidArchive}
	}),
	Entry("that never ends", func() hydrationCase { return hydrationCase{handler: endlessBody, reason: v1alpha1.ReasonLimitExceeded} }),
	Entry("of a chart with another name", func() hydrationCase {
		other := newChart(nil)
		other.Name = "other"
		return hydrationCase{archive: other.Archive(), reason: v1alpha1.ReasonInvalidChart}
	}),
	Entry("with ten nested archives and a bomb", func() hydrationCase {
		return hydrationCase{archive: nestedArchive(10), reason: v1alpha1.ReasonRenderFailed}
	}),
)
