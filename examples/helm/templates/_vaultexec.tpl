{{- /* Parts of a pod that has vaultexec in front of its application. */ -}}

{{- define "vaultexec.initContainer" -}}
- name: vaultexec
  image: {{ .Values.vaultexec.image | quote }}
  command: [/vaultexec, install, /opt/vaultexec]
  volumeMounts:
    - {name: vaultexec, mountPath: /opt/vaultexec}
{{- end }}

{{- define "vaultexec.env" -}}
- {name: VAULT_ADDR, value: {{ .Values.vaultexec.address | quote }}}
- {name: VAULTEXEC_ROLE, value: {{ .Values.vaultexec.role | quote }}}
- {name: VAULTEXEC_JWT_PATH, value: /var/run/secrets/vault/token}
{{- range $name, $value := .Values.vaultexec.settings }}
- {name: VAULTEXEC_{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "vaultexec.volumeMounts" -}}
- {name: vaultexec, mountPath: /opt/vaultexec, readOnly: true}
- {name: vault-token, mountPath: /var/run/secrets/vault, readOnly: true}
{{- end }}

{{- define "vaultexec.volumes" -}}
- name: vaultexec
  emptyDir: {sizeLimit: 32Mi}
- name: vault-token
  projected:
    sources:
      - serviceAccountToken: {path: token, audience: {{ .Values.vaultexec.audience | quote }}, expirationSeconds: 3600}
{{- end }}
