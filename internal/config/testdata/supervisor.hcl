# The agent's process supervisor, as 'vault agent generate-config' writes it.
auto_auth {
  method {
    type = "token_file"

    config {
      token_file_path = "/root/.vault-token"
    }
  }
}

template_config {
  static_secret_render_interval = "5m"
  exit_on_retry_failure         = true
  max_connections_per_host      = 10
}

vault {
  address = "http://127.0.0.1:8200"
}

env_template "CONFIG_USERNAME" {
  contents             = "{{ with secret \"kv/data/app/config\" }}{{ .Data.data.username }}{{ end }}"
  error_on_missing_key = true
}

env_template "CONFIG_PASSWORD" {
  contents             = "{{ with secret \"kv/data/app/config\" }}{{ .Data.data.password }}{{ end }}"
  error_on_missing_key = true
}

exec {
  command                   = ["env"]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
}
