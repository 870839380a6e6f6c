package story_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/samplemarket"
)

// A file of a chart, with its path and text.
type file struct{ path, text string }

// page is a template that renders with any values.
var page = file{"templates/page.yaml", `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-page
data:
  greeting: {{ .Values.greeting | default "hello" | quote }}
`}

// packed returns the archive of a chart.
func packed(name, version string, more ...file) []byte {
	GinkgoHelper()
	return chartOf(name, version, more...).Archive()
}

func chartOf(name, version string, more ...file) fixture.Chart {
	c := fixture.Chart{Name: name, Version: version, Files: fixture.Files{}}
	for _, f := range more {
		c.Files[f.path] = f.text
	}
	return c
}

// forged returns the archive of a valid chart with additional entries.
func forged(name string, more ...fixture.TarEntry) []byte {
	GinkgoHelper()
	return fixture.TarGzip(append(chartOf(name, "1.0.0", page).TarEntries(), more...)...)
}

// many returns entries of count empty files.
func many(name string, count int) []fixture.TarEntry {
	var entries []fixture.TarEntry
	for i := range count {
		entries = append(entries, fixture.TarEntry{Name: fmt.Sprintf("%s/files/%d", name, i)})
	}
	return entries
}

// deep returns an entry of a file below the given number of folders.
func deep(name string, folders int) fixture.TarEntry {
	return fixture.TarEntry{Name: name + "/" + strings.Repeat("d/", folders) + "file"}
}

// zeros returns an entry that is small when compressed and large when unpacked.
func zeros(name string) fixture.TarEntry {
	return fixture.TarEntry{Name: name + "/zeros", Text: strings.Repeat("\x00", chart.MaxFileBytes-1)}
}

// large returns entries that exceed the limit of the unpacked size at an allowed compression ratio.
func large(name string) []fixture.TarEntry {
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

// laughs returns a few lines of YAML whose aliases expand to 10^9 values.
func laughs() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n")
	for i := 1; i < 9; i++ {
		again := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", ")
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i, i, again)
	}
	return text.String()
}

// appManifest returns an OlaresManifest.yaml with additional lines.
func appManifest(name, more string) file {
	return file{"OlaresManifest.yaml", fmt.Sprintf(`olaresManifest.version: 0.12.0
olaresManifest.type: app
metadata:
  name: %s
  title: %s
  version: 1.0.0
`, name, name) + more}
}

// anImage returns an image that the registry of the sample market serves.
func anImage() string { return samples.Config.Handler.(*samplemarket.Market).Images()[0] }

// worker returns a chart with a claim, a Deployment that uses it, and hook Jobs before and after
// every operation.
func worker(version string) []byte {
	GinkgoHelper()
	return packed("worker", version,
		file{"values.yaml", "image: " + anImage() + "\n"},
		file{"templates/claim.yaml", `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .Release.Name }}-data
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi
`},
		file{"templates/deployment.yaml", `apiVersion: apps/v1
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
		file{"templates/jobs.yaml", `{{- range list "pre-install" "post-install" "pre-upgrade" "post-upgrade" "pre-delete" }}
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
