{{/* The generated policies say what an object lacks; here they get the release's names and labels. */}}

{{- define "podid.policies.identityFields" -}}
{{- $prefix := printf "%s-" (include "podid.fullname" .) -}}
{{- range .Files.Get "policies/identity-fields.yaml" | splitList "\n---\n" }}
{{- $object := fromYaml . }}
{{- $_ := set $object.metadata "name" ($object.metadata.name | replace "podid-" $prefix) }}
{{- $_ := set $object.metadata "labels" (include "podid.labels" $ | fromYaml) }}
{{- with $object.spec.policyName }}
{{- $_ := set $object.spec "policyName" (. | replace "podid-" $prefix) }}
{{- end }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}

{{/* What happens to an object at fault; the audit log has it in any case. */}}
{{- define "podid.policies.actions" -}}
{{ ternary (list "Audit") (list . "Audit") (eq . "Audit") | toJson }}
{{- end }}

{{/* A generated policy that is off by default, with the chosen action and the namespaces that it leaves alone. */}}
{{- define "podid.policies.optional" -}}
{{- $prefix := printf "%s-" (include "podid.fullname" .root) -}}
{{- range .root.Files.Get .file | splitList "\n---\n" }}
{{- $object := fromYaml . }}
{{- $_ := set $object.metadata "name" ($object.metadata.name | replace "podid-" $prefix) }}
{{- $_ := set $object.metadata "labels" (include "podid.labels" $.root | fromYaml) }}
{{- with $object.spec.policyName }}
{{- $_ := set $object.spec "policyName" (. | replace "podid-" $prefix) }}
{{- $_ := set $object.spec "validationActions" (include "podid.policies.actions" $.action | fromJsonArray) }}
{{- range $object.spec.matchResources }}
{{- range .matchExpressions }}
{{- $_ := set . "values" $.leftAlone }}
{{- end }}
{{- end }}
{{- end }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}

{{/* JSON list of the users who may write assignments. */}}
{{- define "podid.policies.writers" -}}
{{ prepend .Values.policies.assignmentWriters.additional (printf "system:serviceaccount:%s:%s" .Release.Namespace (include "podid.mic" .)) | toJson }}
{{- end }}
