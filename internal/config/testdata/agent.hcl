# A sidecar's configuration, with files, a token and what vaultexec leaves out.
pid_file = "/home/vault/.pid"

vault {
  address = "https://vault.default.svc:8200"
  ca_cert = "/vault/tls/ca.crt"
  retry {
    num_retries = 5
  }
}

auto_auth {
  method "kubernetes" {
    mount_path = "auth/kubernetes"
    config = {
      role = "app"
    }
  }

  sink "file" {
    config = {
      path = "/home/vault/.vault-token"
      mode = 0600
    }
  }
}

cache {
  use_auto_auth_token = true
}

listener "tcp" {
  address     = "127.0.0.1:8200"
  tls_disable = true
}

template_config {
  exit_on_retry_failure         = true
  static_secret_render_interval = "5m"
}

template {
  destination          = "/vault/secrets/config"
  perms                = "0440"
  error_on_missing_key = true
  left_delimiter       = "[["
  right_delimiter      = "]]"
  contents             = <<-EOT
    [[- with secret "kv/data/app/config" -]]
    export DB_PASSWORD='[[ .Data.data.password ]]'
    [[- end ]]
  EOT
  exec {
    command = ["pkill", "-HUP", "app"]
    timeout = "10s"
  }
}
