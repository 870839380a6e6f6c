package story_test

import (
	. "github.com/onsi/ginkgo/v2"

	"github.com/appmarket/operator/test/fixture"
)

// officeChart returns a chart with objects of many kinds, a Role that grants permissions, and hook Jobs
// before every Helm operation. Version 1.0.0 has a NetworkPolicy and grants more than the later
// version.
func officeChart(version string) []byte {
	GinkgoHelper()
	return packChart("office", version,
		chartFile{"values.yaml", "image: " + fixture.Image + "\n"}, pageTemplate,
		chartFile{"templates/service.yaml", `apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: 80}]
`},
		chartFile{"templates/claim.yaml", `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .Release.Name }}-data
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
`},
		chartFile{"templates/deployment.yaml", `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}, version: {{ .Chart.Version }}}
    spec:
      containers: [{name: desk, image: {{ .Values.image }}}]
`},
		chartFile{"templates/role.yaml", `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .Release.Name }}
rules:
  - {apiGroups: [""], resources: [endpoints], verbs: [get]}
{{- if eq .Chart.Version "1.0.0" }}
  - {apiGroups: [""], resources: [events], verbs: [list]}
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .Release.Name }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .Release.Name }}}
subjects: [{kind: ServiceAccount, name: default}]
`},
		chartFile{"templates/policy.yaml", `{{- if eq .Chart.Version "1.0.0" }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Release.Name }}
spec:
  podSelector: {}
{{- end }}
`},
		chartFile{"templates/jobs.yaml", `{{- range list "pre-install" "pre-upgrade" "pre-rollback" "pre-delete" }}
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
      containers: [{name: hook, image: {{ $.Values.image }}}]
{{- end }}
`})
}

// clusterRoleChart returns a chart with a cluster-scoped object.
func clusterRoleChart() []byte {
	GinkgoHelper()
	return packChart("embassy", "1.0.0", pageTemplate, chartFile{"templates/role.yaml", `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .Release.Namespace }}-{{ .Release.Name }}
rules:
  - {apiGroups: [""], resources: [endpoints], verbs: [get]}
`})
}
