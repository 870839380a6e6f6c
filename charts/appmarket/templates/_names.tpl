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

{{- define "appmarket.repositoryURL" -}}
{{- $port := int .Values.repository.service.port -}}
{{- $host := printf "http://%s.%s.svc" (include "appmarket.name" .) .Release.Namespace -}}
{{- if .Values.repository.url }}{{ .Values.repository.url }}{{ else if eq $port 80 }}{{ $host }}{{ else }}{{ $host }}:{{ $port }}{{ end }}
{{- end }}
