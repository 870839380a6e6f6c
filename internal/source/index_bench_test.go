package source

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// writeIndex writes an index that is similar to the indexes of public repositories: apps
// with 20 versions of more than 900 bytes each.
func writeIndex(out io.Writer, versions int) error {
	text := bufio.NewWriter(out)
	fmt.Fprintln(text, "apiVersion: v1\nentries:")
	for i := range versions {
		name, minor := fmt.Sprintf("application-%05d", i/20), 20-i%20
		if i%20 == 0 {
			fmt.Fprintf(text, "  %s:\n", name)
		}
		fmt.Fprintf(text, `  - annotations:
      category: Database
      licenses: Apache-2.0
      images: |
        - name: server
          image: docker.io/example/%[1]s:1.%[2]d.0-debian-12-r3
        - name: exporter
          image: docker.io/example/%[1]s-exporter:0.%[2]d.1-debian-12-r0
    apiVersion: v2
    appVersion: 1.%[2]d.0
    created: "2026-03-04T05:06:07.123456789Z"
    dependencies:
    - name: common
      repository: https://charts.example.org/stable
      version: 2.x.x
    description: 'A chart for %[1]s: it is a server that stores data, and
      a second line, since Helm wraps them.'
    digest: %064[3]x
    home: https://www.example.org/%[1]s
    icon: https://www.example.org/assets/stacks/%[1]s/img/%[1]s-stack-220x234.png
    keywords:
    - database
    - server
    maintainers:
    - name: Example, Inc.
      url: https://github.com/example/charts
    name: %[1]s
    sources:
    - https://github.com/example/charts/tree/main/example/%[1]s
    urls:
    - https://charts.example.org/stable/%[1]s-3.%[2]d.7.tgz
    version: 3.%[2]d.7
`, name, minor, i)
	}
	fmt.Fprintln(text, `generated: "2026-03-04T05:06:07.123456789Z"`)
	return text.Flush()
}

func BenchmarkIndex26MB(b *testing.B)  { benchmarkIndex(b, 22_500) }
func BenchmarkIndex100MB(b *testing.B) { benchmarkIndex(b, 87_000) }

// benchmarkIndex reports the throughput of reading an index, and the maximum growth of the
// heap.
func benchmarkIndex(b *testing.B, versions int) {
	path := filepath.Join(b.TempDir(), "index.yaml")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if err := writeIndex(file, versions); err != nil {
		b.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	var apps int
	peak := measureHeapPeak(func() {
		for b.Loop() {
			if _, err := file.Seek(0, io.SeekStart); err != nil {
				b.Fatal(err)
			}
			selector, err := readIndex(file, everything)
			if err != nil {
				b.Fatal(err)
			}
			apps = len(selector.apps)
		}
	})
	if apps != versions/20 {
		b.Fatalf("read %d apps, want %d", apps, versions/20)
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
	b.ReportMetric(float64(maxResidentKiB())/1024, "RSS-MiB")
}

// measureHeapPeak returns the maximum growth of the heap in bytes while work runs.
func measureHeapPeak(work func()) uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	start, peak := stats.HeapInuse, uint64(0)
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			if now.HeapInuse > start {
				peak = max(peak, now.HeapInuse-start)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	work()
	stop.Store(true)
	<-done
	return peak
}

// maxResidentKiB returns the maximum resident memory of this process in KiB, or zero if the
// operating system does not report it.
func maxResidentKiB() (kib int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib
		}
	}
	return 0
}
