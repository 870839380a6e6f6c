{{/* Values about signing in that would fail only in the cluster. */}}
{{- define "appmarket.checkSignIn" -}}
{{- $ui := .Values.ui }}
{{- if eq $ui.auth "oidc" }}
{{- if not (and $ui.oidc.issuerURL $ui.oidc.clientID) }}
{{- fail "ui.auth oidc needs ui.oidc.issuerURL and ui.oidc.clientID" }}
{{- end }}
{{- if not (hasPrefix "https://" $ui.publicURL) }}
{{- fail "ui.auth oidc needs an https URL as ui.publicURL, to which the issuer sends users back" }}
{{- end }}
{{- end }}
{{- if ne $ui.auth "proxy" }}
{{- if ne $ui.proxy.impersonation "None" }}
{{- fail "ui.proxy.impersonation needs ui.auth proxy" }}
{{- end }}
{{- else if ne (empty $ui.proxy.clientCASecret) (eq $ui.proxy.impersonation "None") }}
{{- fail "ui.proxy.clientCASecret and ui.proxy.impersonation need each other: the users of a proxy with a client certificate are impersonated" }}
{{- else if and $ui.proxy.clientCASecret (not (and $ui.proxy.trustedProxies $ui.tlsSecret)) }}
{{- fail "ui.proxy.clientCASecret needs ui.proxy.trustedProxies and ui.tlsSecret" }}
{{- end }}
{{- end }}

{{/* Arguments about signing in. */}}
{{- define "appmarket.signInArguments" -}}
{{- $ui := .Values.ui -}}
- --auth={{ $ui.auth }}
{{- with $ui.proxy.trustedProxies }}
- {{ printf "--trusted-proxies=%s" (join "," .) | quote }}
{{- end }}
{{- if eq $ui.auth "oidc" }}
- {{ printf "--oidc-issuer-url=%s" $ui.oidc.issuerURL | quote }}
- {{ printf "--oidc-client-id=%s" $ui.oidc.clientID | quote }}
- {{ printf "--oidc-scopes=%s" (join "," $ui.oidc.scopes) | quote }}
{{- if $ui.oidc.clientSecret }}
- --oidc-client-secret-file=/etc/appmarket/ui-oidc/clientSecret
{{- end }}
{{- if $ui.oidc.caSecret }}
- --oidc-ca-file=/etc/appmarket/ui-oidc-ca/ca.crt
{{- end }}
{{- else if eq $ui.auth "proxy" }}
{{- if $ui.proxy.clientCASecret }}
- --proxy-client-ca=/etc/appmarket/ui-proxy-ca/ca.crt
{{- end }}
{{- with $ui.proxy.signOutURL }}
- {{ printf "--proxy-sign-out-url=%s" . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Secrets that signing in needs, by the names of their volumes, as JSON. */}}
{{- define "appmarket.signInSecrets" -}}
{{- $ui := .Values.ui }}
{{- $secrets := dict }}
{{- if eq $ui.auth "oidc" }}
{{- with $ui.oidc.clientSecret }}{{ $_ := set $secrets "ui-oidc" . }}{{ end }}
{{- with $ui.oidc.caSecret }}{{ $_ := set $secrets "ui-oidc-ca" . }}{{ end }}
{{- else if and (eq $ui.auth "proxy") $ui.proxy.clientCASecret }}
{{- $_ := set $secrets "ui-proxy-ca" $ui.proxy.clientCASecret }}
{{- end }}
{{- toJson $secrets }}
{{- end }}
