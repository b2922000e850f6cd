{{/* What does MIC find in its environment? */}}

{{- define "podid.mic.env" -}}
- name: MIC_POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- if .Values.mic.customCloud.enabled }}
- name: AZURE_ENVIRONMENT_FILEPATH
  value: {{ .Values.mic.customCloud.configPath }}
{{- end }}
{{- if .Values.adminsecret }}
{{- range $variable, $key := include "podid.mic.settings" . | fromYaml }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "podid.mic" $ }}
      key: {{ $key }}
{{- end }}
{{- end }}
{{- end }}

{{/* Variables and the keys of the Secret that they come from. */}}
{{- define "podid.mic.settings" -}}
CLOUD: Cloud
SUBSCRIPTION_ID: SubscriptionID
RESOURCE_GROUP: ResourceGroup
VM_TYPE: VMType
TENANT_ID: TenantID
CLIENT_ID: ClientID
CLIENT_SECRET: ClientSecret
{{- if .Values.adminsecret.useMSI }}
USE_MSI: UseMSI
{{- end }}
{{- if .Values.adminsecret.userAssignedMSIClientID }}
USER_ASSIGNED_MSI_CLIENT_ID: UserAssignedMSIClientID
{{- end }}
{{- end }}
