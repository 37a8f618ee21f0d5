vault {
  address     = "https://vault.example:8200"
  renew_token = true

  retry {
    attempts = 12
    backoff  = "250ms"
  }

  ssl {
    enabled = true
    verify  = true
    ca_cert = "/etc/ssl/vault.pem"
  }
}

pristine = true
upcase   = true
sanitize = true

secret {
  path      = "kv/{{ env \"TEAM\" }}/config"
  no_prefix = true

  key {
    name   = "username"
    format = "db_user"
  }
}

secret {
  path   = "kv/team-a/other"
  format = "other_{{ key }}"
}

exec {
  command      = "app --port 8080"
  kill_signal  = "SIGTERM"
  kill_timeout = "20s"
  splay        = "5s"

  env {
    allowlist = ["PATH", "HOME", "APP_*"]
    denylist  = ["APP_DEBUG"]
    custom    = ["MODE=production"]
  }
}

wait {
  min = "5s"
  max = "10s"
}
