package story_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/test/fixture"
)

// values are chart values.
type values map[string]any

func (v values) toRaw() *runtime.RawExtension {
	text, err := json.Marshal(v)
	Expect(err).NotTo(HaveOccurred())
	return &runtime.RawExtension{Raw: text}
}

// The hooks of the actor chart: one Job for each, whose name contains release, hook and version.
var actorHooks = []string{
	"pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback", "pre-delete", "post-delete",
}

// waitingAnnotation is the annotation of a Pod that the simulated nodes never start.
const waitingAnnotation = "localcluster/waiting"

// actorChart returns a chart with a claim, a Deployment that uses it and a Job for every hook. Its
// values select a failure: broken fails to render, fail and hang name the hook that fails or hangs,
// and with ready false the Pods never become ready. overrides replaces values.
func actorChart(name, version string, overrides values, more ...chartFile) []byte {
	GinkgoHelper()
	chartValues := values{"image": fixture.Image, "ready": true, "hooks": true, "broken": false, "fail": "", "hang": ""}
	maps.Copy(chartValues, overrides)
	return packChart(name, version, append(more,
		chartFile{"values.yaml", string(chartValues.toRaw().Raw)},
		chartFile{"templates/claim.yaml", `{{- if .Values.broken }}{{ fail "the value broken is set" }}{{ end -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .Release.Name }}-data
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi
`},
		chartFile{"templates/deployment.yaml", fmt.Sprintf(`apiVersion: apps/v1
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
      {{- if not .Values.ready }}
      annotations: {%s: ContainerCreating}
      {{- end }}
    spec:
      containers:
        - name: actor
          image: {{ .Values.image }}
          volumeMounts:
            - name: data
              mountPath: /data
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: {{ .Release.Name }}-data
`, waitingAnnotation)},
		chartFile{"templates/hooks.yaml", fmt.Sprintf(`{{- if .Values.hooks }}
{{- range list "%s" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-{{ . }}-{{ $.Chart.Version | replace "." "-" }}
  annotations:
    helm.sh/hook: {{ . }}
spec:
  backoffLimit: 0
  {{- if eq . $.Values.fail }}
  activeDeadlineSeconds: 1
  {{- end }}
  template:
    {{- if or (eq . $.Values.fail) (eq . $.Values.hang) }}
    metadata:
      annotations: {%s: ContainerCreating}
    {{- end }}
    spec:
      restartPolicy: Never
      containers:
        - name: hook
          image: {{ $.Values.image }}
{{- end }}
{{- end }}
`, strings.Join(actorHooks, `" "`), waitingAnnotation)})...)
}
