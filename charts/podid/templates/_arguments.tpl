{{/* Which flags do values become? Only what is set is passed on, so that the program's defaults stay in one place. */}}

{{/* A list of [flag, value]; those with an empty value are left out. */}}
{{- define "podid.flags" -}}
{{- range . -}}
{{- $value := index . 1 -}}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
- {{ printf "--%s=%s" (index . 0) (toString $value) | quote }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "podid.mic.args" -}}
{{- $mic := .Values.mic -}}
- mic
{{- list
  (list "cloudconfig" (include "podid.cloudConfig" .))
  (list "forceNamespaced" (ternary "true" "" (ne (include "podid.namespaced" .) "")))
  (list "leader-election-instance" $mic.leaderElection.instance)
  (list "leader-election-namespace" $mic.leaderElection.namespace)
  (list "leader-election-name" $mic.leaderElection.name)
  (list "leader-election-duration" $mic.leaderElection.duration)
  (list "legacy-lock" (ternary "" "false" $mic.legacyLock))
  (list "http-probe-port" $mic.probePort)
  (list "prometheus-port" $mic.prometheusPort)
  (list "syncRetryDuration" $mic.syncRetryDuration)
  (list "immutable-user-msis" (join "," (concat $mic.immutableUserMSIs .Values.protectedIdentities)))
  (list "assignment-strategy" $mic.assignmentStrategy)
  (list "removal-delay" $mic.removalDelay)
  (list "createDeleteBatch" $mic.createDeleteBatch)
  (list "update-user-msi-retry-interval" $mic.updateUserMSIRetryInterval)
  (list "identity-assignment-reconcile-interval" $mic.identityAssignmentReconcileInterval)
  (list "custom-user-agent" .Values.customUserAgent)
  (list "log-format" $mic.loggingFormat)
  (list "v" (ternary "" $mic.logVerbosity (eq (toString $mic.logVerbosity) "0")))
  | include "podid.flags" }}
{{- end }}

{{- define "podid.nmi.args" -}}
{{- $nmi := .Values.nmi -}}
- nmi
- --node=$(NODE_NAME)
{{- list
  (list "daemonset-name" (include "podid.nmi" .))
  (list "operation-mode" (ternary "" "managed" (ne (include "podid.standard" .) "")))
  (list "forceNamespaced" (ternary "true" "" (ne (include "podid.namespaced" .) "")))
  (list "http-probe-port" $nmi.probePort)
  (list "prometheus-port" $nmi.prometheusPort)
  (list "enableScaleFeatures" (ternary (toString $nmi.enableScaleFeatures) "" (ne (include "podid.standard" .) "")))
  (list "metadata-header-required" $nmi.metadataHeaderRequired)
  (list "block-instance-metadata" $nmi.blockInstanceMetadata)
  (list "local-redirect-policy" (ternary "true" "" $nmi.localRedirectPolicy))
  (list "block-wireserver" (ternary "true" "" $nmi.blockWireserver))
  (list "pass-through" $nmi.passThrough)
  (list "protected-identity" (join "," .Values.protectedIdentities))
  (list "host-token-route" (ternary "true" "" $nmi.hostTokenRoute))
  (list "audit-log" $nmi.auditLog)
  (list "retry-attempts-for-created" $nmi.retryAttemptsForCreated)
  (list "retry-attempts-for-assigned" $nmi.retryAttemptsForAssigned)
  (list "find-identity-retry-interval" $nmi.findIdentityRetryIntervalInSeconds)
  (list "startup-taint" $nmi.startupTaint)
  (list "allow-network-plugin-kubenet" (ternary "true" "" $nmi.allowNetworkPluginKubenet))
  (list "kubelet-config" (ternary "" $nmi.kubeletConfig (eq $nmi.kubeletConfig "/etc/default/kubelet")))
  (list "cloud" ($nmi.cloud | default (ternary "AzureStackCloud" "" .Values.mic.customCloud.enabled)))
  (list "allowed-authority" (join "," $nmi.allowedAuthorities))
  (list "custom-user-agent" .Values.customUserAgent)
  (list "log-format" $nmi.loggingFormat)
  (list "v" (ternary "" $nmi.logVerbosity (eq (toString $nmi.logVerbosity) "0")))
  | include "podid.flags" }}
{{- end }}
