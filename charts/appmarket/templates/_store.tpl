{{/* Whether several pods can run at the same time: the charts are in a bucket, and pods do not need separate volumes. */}}
{{- define "appmarket.isVolumeShared" -}}
{{- $store := .Values.store -}}
{{- and $store.bucket.name (or (not $store.persistent) (has "ReadWriteMany" $store.accessModes)) | not | not -}}
{{- end }}

{{/* Fails if the values of the store do not fit together. */}}
{{- define "appmarket.checkStore" -}}
{{- $store := .Values.store -}}
{{- if and $store.bucket.name (not $store.bucket.endpoint) -}}
{{- fail "store.bucket.endpoint: required with store.bucket.name" -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- if not $store.bucket.name -}}
{{- fail "replicas: more than 1 requires store.bucket" -}}
{{- end -}}
{{- if ne (include "appmarket.isVolumeShared" .) "true" -}}
{{- fail "replicas: more than 1 requires store.persistent false, which refuses uploads, or store.accessModes [ReadWriteMany]" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The flags for a bucket, nothing without one. */}}
{{- define "appmarket.bucketFlags" -}}
{{- $bucket := .Values.store.bucket -}}
{{- if $bucket.name -}}
- --store-bucket={{ $bucket.name }}
- --store-bucket-endpoint={{ $bucket.endpoint }}
- --store-bucket-region={{ $bucket.region }}
- --store-bucket-addressing={{ $bucket.addressing }}
- --store-bucket-refresh-interval={{ $bucket.refreshInterval }}
{{- with $bucket.prefix }}
- --store-bucket-prefix={{ . }}
{{- end }}
{{- if $bucket.secretName }}
- --store-bucket-credentials-dir=/etc/appmarket/bucket-credentials
{{- end }}
{{- if $bucket.caSecret }}
- --store-bucket-ca-file=/etc/appmarket/bucket-ca/ca.crt
{{- end }}
{{- if not .Values.store.persistent }}
- --receive-uploads=false
{{- end }}
{{- end -}}
{{- end }}
