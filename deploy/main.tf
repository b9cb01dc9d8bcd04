# Everything on Google Cloud that configs/vertex.toml names. `terraform apply` prints the [vertex] section to paste.

terraform {
  required_version = ">= 1.6"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0, < 8.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

locals {
  services = [
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "dataflow.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
  ]
}

resource "google_project_service" "needed" {
  for_each           = toset(local.services)
  service            = each.value
  disable_on_destroy = false
}

# Runs: pipeline_root, staged files, checkpoints. Versioned, private, in the region of the machines.
resource "google_storage_bucket" "runs" {
  name                        = "${var.project}-segpipe"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle_rule {
    condition {
      num_newer_versions = 3
    }
    action {
      type = "Delete"
    }
  }

  logging {
    log_bucket = google_storage_bucket.logs.name
  }
}

resource "google_storage_bucket" "logs" {
  #checkov:skip=CKV_GCP_62:the log of the log bucket would be itself
  name                        = "${var.project}-segpipe-access-logs"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle_rule {
    condition {
      age = 90
    }
    action {
      type = "Delete"
    }
  }
}

resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84:Google's own keys encrypt images that hold no secret
  repository_id = "segpipe"
  location      = var.region
  format        = "DOCKER"

  docker_config {
    immutable_tags = true
  }

  depends_on = [google_project_service.needed]
}

# The Hub's token: the secret without a value. `gcloud secrets versions add hf-write --data-file=-` gives it one, so
# that the value is in no state file.
resource "google_secret_manager_secret" "hub_token" {
  secret_id = "hf-write"

  replication {
    auto {}
  }

  depends_on = [google_project_service.needed]
}
