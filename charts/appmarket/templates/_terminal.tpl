{{/* Values about terminals that would fail only in the cluster. */}}
{{- define "appmarket.checkTerminal" -}}
{{- $ui := .Values.ui }}
{{- if and $ui.terminal.recording.enabled (not $ui.terminal.enabled) }}
{{- fail "ui.terminal.recording.enabled needs ui.terminal.enabled" }}
{{- end }}
{{- if and $ui.terminal.recording.enabled (gt (int $ui.replicas) 1) (not $ui.terminal.recording.existingClaim) (not (has "ReadWriteMany" $ui.terminal.recording.accessModes)) }}
{{- fail "ui.replicas: more than one replica needs ReadWriteMany in ui.terminal.recording.accessModes, so that all of them can record terminals" }}
{{- end }}
{{- end }}

{{/* Arguments about terminals. */}}
{{- define "appmarket.terminalArguments" -}}
- --terminal
{{- with .Values.ui.terminal.recording }}
{{- if .enabled }}
- --record-terminal=/var/lib/appmarket/recordings
- --recording-max-bytes={{ int64 .maxBytes }}
- --recording-max-age={{ .maxAge }}
{{- end }}
{{- end }}
{{- end }}
