{{/* How are objects labelled? Selectors are those of the original chart, as people select by them. */}}

{{- define "podid.labels" -}}
app.kubernetes.io/name: {{ include "podid.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "podid.mic.selector" -}}
app.kubernetes.io/name: {{ include "podid.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: mic
{{- end }}

{{- define "podid.nmi.selector" -}}
app.kubernetes.io/name: {{ include "podid.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: nmi
{{- end }}

{{- define "podid.mic.labels" -}}
{{ include "podid.labels" . }}
app.kubernetes.io/component: mic
{{- end }}

{{- define "podid.nmi.labels" -}}
{{ include "podid.labels" . }}
app.kubernetes.io/component: nmi
{{- end }}
