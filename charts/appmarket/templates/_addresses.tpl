{{- /* The flags of the operator for the addresses of entrances. */}}
{{- define "appmarket.addressFlags" -}}
{{- with .Values.addresses }}
{{- if ne .type "None" }}
{{- if not .hostTemplate }}
{{- fail "addresses.hostTemplate: required unless addresses.type is None" }}
{{- end }}
- --address-type={{ .type }}
- {{ printf "--address-host-template=%s" .hostTemplate | quote }}
- --address-scheme={{ .scheme }}
{{- with .ingressClassName }}
- --address-ingress-class={{ . }}
{{- end }}
{{- with .tlsSecretName }}
- {{ printf "--address-tls-secret=%s" . | quote }}
{{- end }}
{{- with .gateway }}
{{- if .name }}
- --address-gateway={{ required "addresses.gateway.namespace: required" .namespace }}/{{ .name }}{{ with .sectionName }}/{{ . }}{{ end }}
{{- else if eq $.Values.addresses.type "HTTPRoute" }}
{{- fail "addresses.gateway.name: required if addresses.type is HTTPRoute" }}
{{- end }}
{{- end }}
{{- range $key, $value := .annotations }}
- {{ printf "--address-annotation=%s=%s" $key $value | quote }}
{{- end }}
{{- if .plainCharts }}
- --address-plain-charts
{{- end }}
{{- end }}
{{- end }}
{{- end }}
