{{/* Which safe defaults are in force, and which value goes back to what the original did? One line for each. */}}

{{- define "podid.safeDefaults" -}}
{{- $standard := ne (include "podid.standard" .) "" -}}
{{- $values := list
  (list (and $standard (include "podid.namespaced" .)) "identities and bindings match within the pod's namespace only" "forceNamespaced=false")
  (list true "NMI reads Secrets only in the namespaces that are listed" "'rbac.secretNamespaces={a,b}'; never all")
  (list .Values.policies.identityFields.enabled "identities without what their type needs are refused" "policies.identityFields.enabled=false")
  (list (and $standard .Values.policies.assignmentWriters.enabled) "only MIC writes AzureAssignedIdentity objects" "policies.assignmentWriters.enabled=false")
  (list (not .Values.nmi.hostTokenRoute) "/host/token/ is off" "nmi.hostTokenRoute=true")
  (list (ne .Values.nmi.passThrough "all") "pods read instance metadata of IMDS and nothing else" "nmi.passThrough=all")
  (list (include "podid.true" .Values.nmi.metadataHeaderRequired) "requests without the header Metadata: true are refused" "nmi.metadataHeaderRequired=false")
  (list (not .Values.nmi.allowNetworkPluginKubenet) "NMI does not start on nodes with kubenet" "nmi.allowNetworkPluginKubenet=true")
  (list .Values.rbac.createUserFacingClusterRoles "the role for editing leaves exceptions out" "a role of your own")
-}}
{{- range $values }}
{{- if index . 0 }}
  {{ printf "%-66s" (index . 1) }} {{ index . 2 }}
{{- end }}
{{- end }}
{{- end }}
