output "vertex_section" {
  description = "For the run's TOML file; `make push-image` prints the image's digest."
  value       = <<-TOML
    [vertex]
    project = "${var.project}"
    region = "${var.region}"
    pipeline_root = "${google_storage_bucket.runs.url}/runs"
    service_account = "${google_service_account.pipeline.email}"
  TOML
}

output "image_repository" {
  description = "For `make push-image REPOSITORY=…`."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "workload_identity_provider" {
  description = "WORKLOAD_IDENTITY_PROVIDER of both environments."
  value       = google_iam_workload_identity_pool_provider.github.name
}

output "submitter" {
  description = "CI_SERVICE_ACCOUNT of the environment `production`."
  value       = google_service_account.submitter.email
}

output "watcher" {
  description = "WATCH_SERVICE_ACCOUNT of the environment `monitoring`."
  value       = google_service_account.watcher.email
}
