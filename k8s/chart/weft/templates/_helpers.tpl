{{/* What every object is called: the release's name. */}}
{{- define "weft.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Labels of every object. */}}
{{- define "weft.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "weft.selector" . }}
{{- end }}

{{/* Labels of every pod of the release. */}}
{{- define "weft.selector" -}}
app.kubernetes.io/name: weft
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "weft.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The table of domains, as `weft routes --json` prints it. */}}
{{- define "weft.domains" -}}
{{- .Files.Get "domains.json" -}}
{{- end }}

{{/*
The Deployments: {"groups": [{"name", "domains": [..], "edge": bool}]}, by the form. `edge` is in the first and only one of the
form one, and else in one of its own.
*/}}
{{- define "weft.groups" -}}
{{- $domains := (include "weft.domains" . | fromJson).domains -}}
{{- $groups := list -}}
{{- if eq .Values.form "one" -}}
  {{- $groups = append $groups (dict "name" "all" "domains" $domains "edge" true) -}}
{{- else -}}
  {{- $bySuite := dict -}}
  {{- range $domains -}}
    {{- $key := ternary .suite .name (eq $.Values.form "suites") -}}
    {{- $_ := set $bySuite $key (append (get $bySuite $key | default list) .) -}}
  {{- end -}}
  {{- range $name := keys $bySuite | sortAlpha -}}
    {{- $groups = append $groups (dict "name" $name "domains" (get $bySuite $name) "edge" false) -}}
  {{- end -}}
  {{- $groups = append $groups (dict "name" "edge" "domains" list "edge" true) -}}
{{- end -}}
{{- dict "groups" $groups | toJson -}}
{{- end }}

{{/* A Deployment's own values over the general ones: {"root", "group"}. */}}
{{- define "weft.own" -}}
{{- $own := get .root.Values.deployments .group.name | default dict -}}
{{- $general := pick .root.Values "replicas" "resources" "nodeSelector" "tolerations" "affinity" "podAnnotations" -}}
{{- mergeOverwrite (deepCopy $general) $own | toJson -}}
{{- end }}

{{/* The most pods that can run at once: what scaling allows and a rolling update adds. */}}
{{- define "weft.mostPods" -}}
{{- $most := 0 -}}
{{- $root := . -}}
{{- range (include "weft.groups" . | fromJson).groups -}}
  {{- $own := include "weft.own" (dict "root" $root "group" .) | fromJson -}}
  {{- $replicas := ternary $root.Values.autoscaling.maxReplicas $own.replicas $root.Values.autoscaling.enabled | int -}}
  {{- if .domains -}}{{- $most = add $most $replicas 1 -}}{{- end -}}
{{- end -}}
{{- $most -}}
{{- end }}

{{/* Each pod's share of the database's connections. */}}
{{- define "weft.connections" -}}
{{- $pods := include "weft.mostPods" . | int -}}
{{- /* The migrations and whoever looks in need some too. */ -}}
{{- $share := div (sub (int .Values.database.connectionLimit) 5) (max $pods 1) | int -}}
{{- if lt $share 2 -}}
{{- fail (printf "database.connectionLimit is %d: %d pods (a rolling update's included) need at least %d" (int .Values.database.connectionLimit) $pods (add (mul $pods 2) 5)) -}}
{{- end -}}
{{- min $share 32 -}}
{{- end }}

{{- define "weft.databaseSecret" -}}
{{- .Values.database.existingSecret | default (printf "%s-database" (include "weft.name" .)) -}}
{{- end }}

{{/* True if the chart runs what carries events between pods: where they are in several Deployments and nothing else is named. */}}
{{- define "weft.trialCarrier" -}}
{{- $named := or .Values.events.existingSecret (hasKey .Values.secretSettings "WEFT_EVENTS_URL") (hasKey .Values.secretSettings "WEFT_REDIS_URL") -}}
{{- if and (ne .Values.form "one") (not $named) -}}true{{- end -}}
{{- end }}

{{/* True if pods present certificates that come from Secrets. */}}
{{- define "weft.mounted" -}}
{{- if and (ne .Values.form "one") (has .Values.certificates.from (list "chart" "cert-manager" "csi")) -}}true{{- end -}}
{{- end }}

{{- define "weft.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "weft.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What every container of weft is told. */}}
{{- define "weft.environment" -}}
- name: WEFT_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ include "weft.databaseSecret" . }}, key: url}}
- name: WEFT_DATABASE_MIGRATION_URL
  valueFrom: {secretKeyRef: {name: {{ include "weft.databaseSecret" . }}, key: migrationUrl, optional: true}}
{{- if include "weft.trialCarrier" . }}
- name: WEFT_EVENTS_URL
  # Migrations that run before the release's own objects are there need no carrier.
  valueFrom: {secretKeyRef: {name: {{ include "weft.name" . }}-carrier, key: url, optional: true}}
{{- else if .Values.events.existingSecret }}
- name: WEFT_EVENTS_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.events.existingSecret }}, key: url}}
{{- end }}
{{- range $name, $from := .Values.secretSettings }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $from.secret }}, key: {{ $from.key }}}}
{{- end }}
{{- end }}

{{/* What only the containers that serve domains are told: {"root", "group"}. */}}
{{- define "weft.ownSecrets" -}}
{{- if not (hasKey .root.Values.secretSettings "WEFT_SEAL_KEY") }}
- name: WEFT_SEAL_KEY
  valueFrom: {secretKeyRef: {name: {{ include "weft.name" .root }}-seal, key: key}}
{{- end }}
{{- $auth := false -}}
{{- range .group.domains }}{{ if eq .name "auth" }}{{ $auth = true }}{{ end }}{{ end }}
{{- with .root.Values.administrator }}
{{- if and .email $auth }}
{{- $secret := .existingSecret | default (printf "%s-administrator" (include "weft.name" $.root)) }}
- name: WEFT_AUTH_FIRST_ADMINISTRATOR_EMAIL
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: email}}
- name: WEFT_AUTH_FIRST_ADMINISTRATOR_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: password}}
{{- end }}
{{- end }}
{{- end }}

{{/* Secrets that belong to the records stay as long as those do, which is longer than the release. */}}
{{- define "weft.keep" -}}
{{- if or .Values.database.existingSecret .Values.database.trial.persistence.enabled -}}
annotations:
  helm.sh/resource-policy: keep
{{- end -}}
{{- end }}

{{- define "weft.mounts" -}}
- {name: data, mountPath: /data}
- {name: configuration, mountPath: /etc/weft, readOnly: true}
{{- end }}

{{- define "weft.volumes" -}}
- {name: data, emptyDir: {}}
- {name: configuration, configMap: {name: {{ include "weft.name" . }}}}
{{- end }}

{{/* The volume with one workload's certificate, key and roots: {"root", "workload"}. */}}
{{- define "weft.certificateVolume" -}}
{{- if eq .root.Values.certificates.from "csi" -}}
- name: certificate-{{ .workload }}
  csi:
    driver: {{ .root.Values.certificates.csi.driver }}
    readOnly: true
{{- else -}}
- name: certificate-{{ .workload }}
  secret:
    secretName: {{ include "weft.name" .root }}-{{ .workload }}-certificate
    defaultMode: 0440
{{- end -}}
{{- end }}

{{/* A pod that issues or removes certificates: {"root", "verb", "account"}. */}}
{{- define "weft.certificatesPod" -}}
metadata:
  labels:
    {{- include "weft.selector" .root | nindent 4 }}
    app.kubernetes.io/component: certificates
spec:
  restartPolicy: OnFailure
  serviceAccountName: {{ .account }}
  enableServiceLinks: false
  securityContext: {{- include "weft.podSecurity" .root | nindent 4 }}
  containers:
    - name: certificates
      image: {{ include "weft.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [certificates, {{ .verb }}, --secrets, {{ include "weft.name" .root }}]
      env:
        - {name: WEFT_MESH_TRUST_DOMAIN, value: {{ .root.Values.certificates.trustDomain | quote }}}
      securityContext: {{- include "weft.containerSecurity" .root | nindent 8 }}
      resources:
        requests: {cpu: 10m, memory: 32Mi}
        limits: {memory: 128Mi}
      volumeMounts:
        - {name: data, mountPath: /data}
  volumes:
    - name: data
      emptyDir: {medium: Memory}
{{- end }}
