{{/* What do values mean? Each of these gives a text, which is empty for no. */}}

{{/* A boolean, or the text that the original's values files have. */}}
{{- define "podid.true" -}}
{{ if eq (toString .) "true" }}yes{{ end }}
{{- end }}

{{- define "podid.standard" -}}
{{ if ne .Values.operationMode "managed" }}yes{{ end }}
{{- end }}

{{- define "podid.namespaced" -}}
{{ if or (not (include "podid.standard" .)) (include "podid.true" .Values.forceNamespaced) }}yes{{ end }}
{{- end }}

{{- define "podid.image" -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Where the node has the cloud settings; empty when a Secret has them. */}}
{{- define "podid.cloudConfig" -}}
{{ if not .Values.adminsecret }}{{ .Values.mic.cloudConfig | default "/etc/kubernetes/azure.json" }}{{ end }}
{{- end }}

{{/* Only root may read a node's cloud settings. */}}
{{- define "podid.mic.user" -}}
{{- if not (or (kindIs "invalid" .Values.mic.runAsUser) (eq (toString .Values.mic.runAsUser) "")) -}}
{{ int64 .Values.mic.runAsUser }}
{{- else -}}
{{ if include "podid.cloudConfig" . }}0{{ else }}65532{{ end }}
{{- end -}}
{{- end }}

{{- define "podid.lock.namespace" -}}
{{ .Values.mic.leaderElection.namespace | default "default" }}
{{- end }}

{{- define "podid.lock.name" -}}
{{ .Values.mic.leaderElection.name | default "aad-pod-identity-mic" }}
{{- end }}

{{- define "podid.monitored" -}}
{{ if .Values.monitoring.podMonitor.enabled }}yes{{ end }}
{{- end }}

{{/* JSON list of the namespaces whose Secrets NMI may read. */}}
{{- define "podid.secretNamespaces" -}}
{{- $namespaces := list -}}
{{- if and .Values.rbac.enabled .Values.rbac.allowAccessToSecrets -}}
{{- $namespaces = .Values.rbac.secretNamespaces | default list -}}
{{- range .Values.azureIdentities -}}
{{- if .clientPassword -}}
{{- $namespaces = append $namespaces (.namespace | default $.Release.Namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ $namespaces | uniq | sortAlpha | toJson }}
{{- end }}
