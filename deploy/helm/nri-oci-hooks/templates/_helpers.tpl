{{- define "nri-oci-hooks.selectorLabels" -}}
app.kubernetes.io/name: nri-oci-hooks
app.kubernetes.io/component: daemon
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nri-oci-hooks.labels" -}}
{{ include "nri-oci-hooks.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "nri-oci-hooks.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* An init container that hands something over, without its image and its arguments. */ -}}
{{- define "nri-oci-hooks.handOver" -}}
securityContext:
  runAsUser: 0
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
  allowPrivilegeEscalation: false
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  - name: handover
    mountPath: /handover
{{- end }}
