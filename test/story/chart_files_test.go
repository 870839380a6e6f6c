package story_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/test/fixture"
)

// A chartFile is a file of a chart.
type chartFile struct{ path, text string }

// pageTemplate is a template that renders with any values.
var pageTemplate = chartFile{"templates/page.yaml", `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-page
data:
  greeting: {{ .Values.greeting | default "hello" | quote }}
`}

// packChart returns the archive of a chart.
func packChart(name, version string, more ...chartFile) []byte {
	GinkgoHelper()
	return newChart(name, version, more...).Archive()
}

func newChart(name, version string, more ...chartFile) fixture.Chart {
	c := fixture.Chart{Name: name, Version: version, Files: fixture.Files{}}
	for _, f := range more {
		c.Files[f.path] = f.text
	}
	return c
}

// packEntries returns the archive of a valid chart with additional entries.
func packEntries(name string, more ...fixture.TarEntry) []byte {
	GinkgoHelper()
	return fixture.TarGzip(append(newChart(name, "1.0.0", pageTemplate).TarEntries(), more...)...)
}

// manyFiles returns entries of count empty files.
func manyFiles(name string, count int) []fixture.TarEntry {
	var entries []fixture.TarEntry
	for i := range count {
		entries = append(entries, fixture.TarEntry{Name: fmt.Sprintf("%s/files/%d", name, i)})
	}
	return entries
}

// deepFile returns an entry of a file below the given number of folders.
func deepFile(name string, folders int) fixture.TarEntry {
	return fixture.TarEntry{Name: name + "/" + strings.Repeat("d/", folders) + "file"}
}

// compressibleFile returns an entry that is small when compressed and large when unpacked.
func compressibleFile(name string) fixture.TarEntry {
	return fixture.TarEntry{Name: name + "/zeros", Text: strings.Repeat("\x00", chart.MaxFileBytes-1)}
}

// largeFiles returns entries that exceed the limit of the unpacked size with an allowed compression
// ratio.
func largeFiles(name string) []fixture.TarEntry {
	noise := make([]byte, 16<<10)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(noise) // never fails
	text := strings.Repeat(string(noise), chart.MaxFileBytes/len(noise))
	var entries []fixture.TarEntry
	for i := range chart.MaxUnpackedBytes/len(text) + 1 {
		entries = append(entries, fixture.TarEntry{Name: fmt.Sprintf("%s/large-%d", name, i), Text: text})
	}
	return entries
}

// aliasBomb returns a few lines of YAML whose aliases expand to 10^9 values.
func aliasBomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n")
	for i := 1; i < 9; i++ {
		again := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", ")
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i, i, again)
	}
	return text.String()
}

// appManifest returns an OlaresManifest.yaml with additional lines.
func appManifest(name, more string, needs ...string) chartFile {
	return chartFile{"OlaresManifest.yaml", fixture.AppManifest(name, more, needs...)}
}

// workerChart returns a chart with a claim, a Deployment that uses it, and hook Jobs before and after
// every operation.
func workerChart(version string) []byte {
	GinkgoHelper()
	return packChart("worker", version,
		chartFile{"values.yaml", "image: " + fixture.Image + "\n"},
		chartFile{"templates/claim.yaml", `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .Release.Name }}-data
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi
`},
		chartFile{"templates/deployment.yaml", `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector:
    matchLabels:
      app: {{ .Release.Name }}
  template:
    metadata:
      labels:
        app: {{ .Release.Name }}
        version: {{ .Chart.Version }}
    spec:
      containers:
        - name: worker
          image: {{ .Values.image }}
          volumeMounts:
            - name: data
              mountPath: /data
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: {{ .Release.Name }}-data
`},
		chartFile{"templates/jobs.yaml", `{{- range list "pre-install" "post-install" "pre-upgrade" "post-upgrade" "pre-delete" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-{{ . }}
  annotations:
    helm.sh/hook: {{ . }}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: hook
          image: {{ $.Values.image }}
{{- end }}
`})
}
