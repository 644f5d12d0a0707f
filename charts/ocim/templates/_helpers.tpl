{{- define "ocim.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What finds the pod. Never changes between versions. */}}
{{- define "ocim.selector" -}}
app.kubernetes.io/name: ocim
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ocim.labels" -}}
{{ include "ocim.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "ocim.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "ocim.fullname" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "ocim.image" -}}
{{- with .Values.image.digest }}{{ $.Values.image.repository }}@{{ . }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* The address that Ocim listens on, as it stands before a port. */}}
{{- define "ocim.address" -}}
{{- if contains ":" .Values.serve.address }}[{{ .Values.serve.address }}]{{ else }}{{ .Values.serve.address }}{{ end }}
{{- end }}

{{/* The same in operator mode. */}}
{{- define "ocim.controllerAddress" -}}
{{- if contains ":" .Values.controller.address }}[{{ .Values.controller.address }}]{{ else }}{{ .Values.controller.address }}{{ end }}
{{- end }}

{{- define "ocim.controllerArguments" -}}
- controller
- --data-dir=/var/lib/ocim/data
- --metrics-listen={{ include "ocim.controllerAddress" . }}:7480
- --log-format={{ .Values.controller.logFormat }}
- --listen={{ include "ocim.controllerAddress" . }}:{{ .Values.controller.port }}
- --advertise-address=$(POD_IP)
{{- if .Values.webhooks.enabled }}
- --webhook-listen={{ include "ocim.controllerAddress" . }}:{{ .Values.webhooks.port }}
{{- end }}
{{- range .Values.controller.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* The arguments of the program, as a list. */}}
{{- define "ocim.arguments" -}}
{{- $name := include "ocim.fullname" . -}}
{{- $address := include "ocim.address" . -}}
- serve
- --data-dir=/var/lib/ocim/data
- --listen={{ $address }}:7443
- --metrics-listen={{ $address }}:7480
{{- if eq .Values.mode "replicated" }}
- --store=$(OCIM_STORE)
- --store-password-file=/etc/ocim/store/password
{{- end }}
- --log-format={{ .Values.serve.logFormat }}
- --tls-san={{ $name }}
- --tls-san={{ $name }}.{{ .Release.Namespace }}
- --tls-san={{ $name }}.{{ .Release.Namespace }}.svc
- --tls-san={{ $name }}.{{ .Release.Namespace }}.svc.cluster.local
{{- range .Values.serve.tlsNames }}
- {{ printf "--tls-san=%s" . | quote }}
{{- end }}
{{- if .Values.webhooks.enabled }}
- --webhook-listen={{ $address }}:{{ .Values.webhooks.port }}
{{- end }}
{{- with .Values.serve.installationId }}
- {{ printf "--installation-id=%s" . | quote }}
{{- end }}
{{- with .Values.serve.serviceAccountIssuer }}
- {{ printf "--service-account-issuer=%s" . | quote }}
{{- end }}
{{- if .Values.serve.tokenAuth.secretName }}
- --token-auth-file=/etc/ocim/tokens/tokens.csv
{{- end }}
{{- if .Values.serve.encryptionPassphrase.secretName }}
- --encryption-passphrase-file=/etc/ocim/encryption/passphrase
{{- end }}
{{- if not .Values.serve.controllers }}
- --no-controllers
{{- end }}
{{- range .Values.serve.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
