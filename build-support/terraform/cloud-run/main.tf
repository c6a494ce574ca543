# Every domain and the edge in one service of Cloud Run, with a PostgreSQL and a Redis of one's own; migrations are a job.

locals {
  # Instances of a new revision run beside those of the old one for a moment.
  connections = max(2, min(32, floor((var.connection_limit - 5) / (var.instances.max * 2))))
  secrets = {
    WEFT_DATABASE_URL           = var.secrets.database_url
    WEFT_DATABASE_MIGRATION_URL = var.secrets.database_migration_url
    WEFT_REDIS_URL              = var.secrets.redis_url
    WEFT_SEAL_KEY               = var.secrets.seal_key
  }
  # The service needs no address of the role that owns the tables.
  service_secrets = { for name, id in local.secrets : name => id if name != "WEFT_DATABASE_MIGRATION_URL" }
}

resource "google_service_account" "weft" {
  project      = var.project
  account_id   = var.name
  display_name = "weft"
}

resource "google_secret_manager_secret_iam_member" "weft" {
  for_each  = local.secrets
  project   = var.project
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.weft.member
}

resource "google_cloud_run_v2_job" "migrations" {
  project  = var.project
  location = var.region
  name     = "${var.name}-migrations"

  template {
    template {
      service_account = google_service_account.weft.email
      max_retries     = 3
      timeout         = "600s"
      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          subnetwork = var.network
        }
      }
      containers {
        image = var.image
        args  = ["migrate"]
        dynamic "env" {
          for_each = local.secrets
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = env.value
                version = "latest"
              }
            }
          }
        }
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.weft]
}

resource "google_cloud_run_v2_service" "weft" {
  project  = var.project
  location = var.region
  name     = var.name
  ingress  = "INGRESS_TRAFFIC_ALL"

  template {
    service_account                  = google_service_account.weft.email
    max_instance_request_concurrency = 250
    # As long as the longest call of a contract that is no stream.
    timeout = "60s"

    scaling {
      min_instance_count = var.instances.min
      max_instance_count = var.instances.max
    }
    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"
      network_interfaces {
        subnetwork = var.network
      }
    }
    containers {
      image = var.image
      args  = ["serve", "all", "edge"]
      # gRPC ends to end: HTTP/2 without TLS up to the container.
      ports {
        name           = "h2c"
        container_port = 8080
      }
      resources {
        limits = {
          cpu    = "1"
          memory = "512Mi"
        }
        # Jobs, events and renewals go on between calls.
        cpu_idle          = false
        startup_cpu_boost = true
      }
      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60
        grpc {
          port = 8080
        }
      }
      liveness_probe {
        period_seconds  = 10
        timeout_seconds = 3
        grpc {
          port = 8080
        }
      }
      env {
        name  = "WEFT_DATABASE_MAX_CONNECTIONS"
        value = tostring(local.connections)
      }
      dynamic "env" {
        for_each = var.settings
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = local.service_secrets
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }
    }
  }

  depends_on = [google_cloud_run_v2_job.migrations, google_secret_manager_secret_iam_member.weft]
}

resource "google_cloud_run_v2_service_iam_member" "everyone" {
  count    = var.is_public ? 1 : 0
  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.weft.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}
