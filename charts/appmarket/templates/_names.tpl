{{/* Name of everything that there is once for each release. */}}
{{- define "appmarket.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "appmarket.selector" -}}
app.kubernetes.io/name: appmarket
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "appmarket.labels" -}}
{{ include "appmarket.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of the pod of the web pages, which the Service of the repository must not select. */}}
{{- define "appmarket.uiSelector" -}}
app.kubernetes.io/name: appmarket-ui
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "appmarket.uiLabels" -}}
{{ include "appmarket.uiSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "appmarket.account" -}}
{{- .Values.serviceAccount.name | default (include "appmarket.name" .) }}
{{- end }}

{{/* The account as the subject of a binding. */}}
{{- define "appmarket.subject" -}}
- kind: ServiceAccount
  name: {{ include "appmarket.account" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "appmarket.image" -}}
{{- $repository := required "image.repository: say where the image of the operator is" .Values.image.repository -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if hasPrefix "sha256:" $tag }}{{ $repository }}@{{ $tag }}{{ else }}{{ $repository }}:{{ $tag }}{{ end }}
{{- if not .Values.image.tag }}{{ with .Values.image.digest }}@{{ . }}{{ end }}{{ end }}
{{- end }}

{{/* URL of the Service of the repository in the cluster. */}}
{{- define "appmarket.serviceURL" -}}
{{- $port := int (include "appmarket.servicePort" .) -}}
{{- $scheme := include "appmarket.scheme" . -}}
{{ $scheme }}://{{ include "appmarket.name" . }}.{{ .Release.Namespace }}.svc{{ if ne $port (eq $scheme "https" | ternary 443 80) }}:{{ $port }}{{ end }}
{{- end }}

{{/* How the repository is served, which is also the name of the port of its Service. */}}
{{- define "appmarket.scheme" -}}
{{ if .Values.repository.tls.secretName }}https{{ else }}http{{ end }}
{{- end }}

{{- define "appmarket.servicePort" -}}
{{ int (.Values.repository.service.port | default (eq (include "appmarket.scheme" .) "https" | ternary 443 80)) }}
{{- end }}

{{- define "appmarket.repositoryURL" -}}
{{- .Values.repository.url | default (include "appmarket.serviceURL" .) }}
{{- end }}

{{/* Labels of the pod of helm test, which the Service of the repository must not select. */}}
{{- define "appmarket.testSelector" -}}
app.kubernetes.io/name: appmarket-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* A quantity of memory, such as 1536Mi, in bytes; 0 if it has another form. */}}
{{- define "appmarket.bytes" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $unit := regexFind "[A-Za-z]*$" . -}}
{{- if hasKey $units $unit -}}
{{- mulf (trimSuffix $unit . | float64) (get $units $unit) | int64 -}}
{{- else -}}
0
{{- end -}}
{{- end }}

{{/* Fails if the memory limit has no room for one render worker and the operator. */}}
{{- define "appmarket.checkMemory" -}}
{{- with (.Values.resources.limits).memory -}}
{{- $limit := kindIs "string" . | ternary . (int64 . | toString) | include "appmarket.bytes" | int64 -}}
{{- $needed := add (int64 $.Values.renderMemory) 268435456 -}}
{{- if and (gt $limit 0) (lt $limit $needed) -}}
{{- fail (printf "resources.limits.memory is %v, and rendering a chart needs %dMi: renderMemory and 256Mi for the operator; raise the limit or lower renderMemory" . (div (add $needed 1048575) 1048576)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
The namespaces of a list that a RoleBinding can be created in. Where Helm is connected to
a cluster, those that do not exist are left out: they would make every upgrade fail. Where
it only renders, as helm template and Argo CD do, all are in.
*/}}
{{- define "appmarket.existing" -}}
{{- $connected := lookup "v1" "Namespace" "" "kube-system" -}}
{{- $existing := list -}}
{{- range .list -}}
{{- if or (not $connected) (lookup "v1" "Namespace" "" .) (eq . $.root.Release.Namespace) -}}
{{- $existing = append $existing . -}}
{{- end -}}
{{- end -}}
{{- toJson $existing -}}
{{- end }}

{{/*
Fails if another release has installed AppMarket in this cluster. Each release has a lease
of its own: two operators would both act, on the same objects.
*/}}
{{- define "appmarket.checkOnlyOne" -}}
{{- with lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "appmarket-viewer" -}}
{{- $name := get (.metadata.annotations | default dict) "meta.helm.sh/release-name" -}}
{{- $namespace := get (.metadata.annotations | default dict) "meta.helm.sh/release-namespace" -}}
{{- if and $name (or (ne $name $.Release.Name) (ne $namespace $.Release.Namespace)) -}}
{{- fail (printf "a cluster has one AppMarket, and the release %s in namespace %s has installed it: upgrade that one, or uninstall it first, which keeps the CRDs and every app" $name $namespace) -}}
{{- end -}}
{{- end -}}
{{- end }}
