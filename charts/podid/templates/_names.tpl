{{/* What are objects called? Room is left for the longest ending, as a pod's name ends in some more. */}}

{{- define "podid.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "podid.fullname" -}}
{{- $name := include "podid.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "podid.mic" -}}
{{ include "podid.fullname" . }}-mic
{{- end }}

{{- define "podid.nmi" -}}
{{ include "podid.fullname" . }}-nmi
{{- end }}
