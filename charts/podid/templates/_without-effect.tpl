{{/* Which values are set that change nothing, and why? One line for each. */}}

{{- define "podid.withoutEffect" -}}
{{- $image := "podid is one image: image.repository, image.tag, image.digest" -}}
{{- $values := list
  (list "nmi.image" .Values.nmi.image $image)
  (list "nmi.tag" .Values.nmi.tag $image)
  (list "nmi.ipTableUpdateTimeIntervalInSeconds" .Values.nmi.ipTableUpdateTimeIntervalInSeconds "the redirect is repaired when it changes")
  (list "nmi.micNamespace" .Values.nmi.micNamespace "MIC needs an exception like any pod: installMICException")
  (list "nmi.setRetryAfterHeader" (include "podid.true" .Values.nmi.setRetryAfterHeader) "503 with Retry-After is always the answer for now")
  (list "nmi.enableConntrackDeletion" (include "podid.true" .Values.nmi.enableConntrackDeletion) "connections from before the redirect are always cut")
  (list "rbac.pspEnabled" .Values.rbac.pspEnabled "PodSecurityPolicies are gone since Kubernetes 1.25")
-}}
{{- if include "podid.standard" . -}}
{{- $values = concat $values (list
  (list "mic.image" .Values.mic.image $image)
  (list "mic.tag" .Values.mic.tag $image)
  (list "mic.clientQps" .Values.mic.clientQps "the API server's own fairness limits the rate")
  (list "mic.updateUserMSIMaxRetry" .Values.mic.updateUserMSIMaxRetry "podid tries until it succeeds")
  (list "mic.cloudConfig" (and .Values.adminsecret .Values.mic.cloudConfig) "adminsecret has the cloud settings")
) -}}
{{- else -}}
{{- $values = append $values (list "adminsecret" .Values.adminsecret "managed mode has no MIC") -}}
{{- end -}}
{{- range $values }}
{{- if index . 1 }}
  {{ index . 0 }}: {{ index . 2 }}
{{- end }}
{{- end }}
{{- end }}
