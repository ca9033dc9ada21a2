{{- define "driftstream.name" -}}
{{- if contains "driftstream" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-driftstream" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "driftstream.selector" -}}
app.kubernetes.io/name: driftstream
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "driftstream.labels" -}}
{{ include "driftstream.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "driftstream.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "driftstream.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ .Values.serviceAccount.name | default (include "driftstream.name" .) }}{{- else -}}{{ .Values.serviceAccount.name | default "default" }}{{- end -}}
{{- end -}}

{{/* What all pods have in common; they speak to Kafka, never to Kubernetes. */}}
{{- define "driftstream.pod" -}}
serviceAccountName: {{ include "driftstream.serviceAccount" . }}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: config
    configMap: {name: {{ include "driftstream.name" . }}}
  - name: tmp
    emptyDir: {}
  {{- if or .Values.references.files .Values.references.existingConfigMap }}
  - name: references
    configMap: {name: {{ .Values.references.existingConfigMap | default (printf "%s-references" (include "driftstream.name" .)) }}}
  {{- end }}
  {{- with .Values.secrets.existingSecret }}
  - name: secrets
    secret: {secretName: {{ . }}, defaultMode: 0440}
  {{- end }}
{{- end -}}

{{- define "driftstream.container" -}}
image: {{ include "driftstream.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- with .Values.env }}
env: {{ toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: config, mountPath: /etc/driftstream/driftstream.toml, subPath: driftstream.toml, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- if or .Values.references.files .Values.references.existingConfigMap }}
  - {name: references, mountPath: /etc/driftstream/references, readOnly: true}
  {{- end }}
  {{- if .Values.secrets.existingSecret }}
  - {name: secrets, mountPath: /etc/driftstream/secrets, readOnly: true}
  {{- end }}
{{- end -}}
