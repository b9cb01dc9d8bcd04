# Who may do what: the steps run as one account, GitHub's jobs submit or watch as two others, and none has a key.

resource "google_service_account" "pipeline" {
  account_id   = "segpipe-pipeline"
  display_name = "Runs the pipeline's steps, training and Dataflow's workers"
}

resource "google_service_account" "submitter" {
  account_id   = "segpipe-submitter"
  display_name = "Submits runs and pushes images from GitHub Actions"
}

resource "google_service_account" "watcher" {
  account_id   = "segpipe-watcher"
  display_name = "Reads a deployed run and its requests from GitHub Actions"
}

resource "google_project_iam_member" "pipeline" {
  #checkov:skip=CKV_GCP_49:dataflow.developer starts jobs; acting as an account is granted below, on one account
  for_each = toset([
    "roles/aiplatform.user",
    "roles/dataflow.developer",
    "roles/dataflow.worker",
    "roles/logging.logWriter",
  ])
  project = var.project
  role    = each.value
  member  = google_service_account.pipeline.member
}

resource "google_project_iam_member" "submitter" {
  project = var.project
  role    = "roles/aiplatform.user"
  member  = google_service_account.submitter.member
}

# Two write runs, one reads them, and only there. The second role is for the bucket itself, whose place Vertex AI's client and Beam ask
# for before they write.
resource "google_storage_bucket_iam_member" "pipeline" {
  for_each = toset(["roles/storage.objectUser", "roles/storage.legacyBucketReader"])
  bucket   = google_storage_bucket.runs.name
  role     = each.value
  member   = google_service_account.pipeline.member
}

resource "google_storage_bucket_iam_member" "submitter" {
  for_each = toset(["roles/storage.objectUser", "roles/storage.legacyBucketReader"])
  bucket   = google_storage_bucket.runs.name
  role     = each.value
  member   = google_service_account.submitter.member
}

resource "google_storage_bucket_iam_member" "watcher" {
  for_each = toset(["roles/storage.objectViewer", "roles/storage.legacyBucketReader"])
  bucket   = google_storage_bucket.runs.name
  role     = each.value
  member   = google_service_account.watcher.member
}

resource "google_artifact_registry_repository_iam_member" "pipeline_reads" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.pipeline.member
}

resource "google_artifact_registry_repository_iam_member" "submitter_writes" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.submitter.member
}

resource "google_secret_manager_secret_iam_member" "pipeline_reads" {
  secret_id = google_secret_manager_secret.hub_token.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.pipeline.member
}

# train.yml gives the secret its value where GitHub keeps the token: it can add one, and read none.
resource "google_secret_manager_secret_iam_member" "submitter_adds" {
  secret_id = google_secret_manager_secret.hub_token.id
  role      = "roles/secretmanager.secretVersionAdder"
  member    = google_service_account.submitter.member
}

# Submitting a job that runs as an account takes the right to act as it: on this one account, not on the project. The
# pipeline's account starts Training and Dataflow as itself.
resource "google_service_account_iam_member" "acts_as_pipeline" {
  for_each = {
    pipeline  = google_service_account.pipeline.member
    submitter = google_service_account.submitter.member
  }
  service_account_id = google_service_account.pipeline.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}

# GitHub Actions without a key. Which account a job becomes, for an hour, depends on its environment, so that no job
# reaches the submitter, on whatever branch, before a reviewer of `production` has approved it.
# https://github.com/google-github-actions/auth#preferred-direct-workload-identity-federation
locals {
  repository = "${var.github_owner}/${var.github_repository}"
}

resource "google_iam_workload_identity_pool" "github" {
  workload_identity_pool_id = "github"
  depends_on                = [google_project_service.needed]
}

resource "google_iam_workload_identity_pool_provider" "github" {
  #checkov:skip=CKV_GCP_125:it reads no condition of two environments; each is the whole subject, repository included
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = "actions"

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }

  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
  }

  attribute_condition = join(" || ", [
    "assertion.sub == 'repo:${local.repository}:environment:production'",
    "assertion.sub == 'repo:${local.repository}:environment:monitoring'",
  ])
}

resource "google_service_account_iam_member" "github" {
  for_each = {
    production = google_service_account.submitter.name
    monitoring = google_service_account.watcher.name
  }
  service_account_id = each.value
  role               = "roles/iam.workloadIdentityUser"
  member = join("/", [
    "principal://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}",
    "subject/repo:${local.repository}:environment:${each.key}",
  ])
}
