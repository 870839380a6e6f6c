package story_test

import (
	. "github.com/onsi/ginkgo/v2"
)

// office returns a chart with objects of many kinds, a Role that grants permissions, and hook Jobs
// before every Helm operation. Version 1.0.0 has a NetworkPolicy and grants more than the later
// version.
func office(version string) []byte {
	GinkgoHelper()
	return packed("office", version,
		file{"values.yaml", "image: " + anImage() + "\n"}, page,
		file{"templates/service.yaml", `apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: 80}]
`},
		file{"templates/claim.yaml", `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .Release.Name }}-data
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
`},
		file{"templates/deployment.yaml", `apiVersion: apps/v1
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
		file{"templates/role.yaml", `apiVersion: rbac.authorization.k8s.io/v1
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
		file{"templates/policy.yaml", `{{- if eq .Chart.Version "1.0.0" }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Release.Name }}
spec:
  podSelector: {}
{{- end }}
`},
		file{"templates/jobs.yaml", `{{- range list "pre-install" "pre-upgrade" "pre-rollback" "pre-delete" }}
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

// embassy returns a chart with a cluster-scoped object.
func embassy() []byte {
	GinkgoHelper()
	return packed("embassy", "1.0.0", page, file{"templates/role.yaml", `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .Release.Namespace }}-{{ .Release.Name }}
rules:
  - {apiGroups: [""], resources: [endpoints], verbs: [get]}
`})
}
