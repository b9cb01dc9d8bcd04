# Who may do what: the steps run as one account, GitHub's jobs submit as another, and neither has a key.

resource "google_service_account" "pipeline" {
  account_id   = "segpipe-pipeline"
  display_name = "Runs the pipeline's steps, training and Dataflow's workers"
}

resource "google_service_account" "submitter" {
  account_id   = "segpipe-submitter"
  display_name = "Submits runs and pushes images from GitHub Actions"
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

# Both write runs, and only there.
resource "google_storage_bucket_iam_member" "runs" {
  for_each = {
    pipeline  = google_service_account.pipeline.member
    submitter = google_service_account.submitter.member
  }
  bucket = google_storage_bucket.runs.name
  role   = "roles/storage.objectUser"
  member = each.value
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

# GitHub Actions without a key: a job of this repository's main branch becomes the submitter for an hour.
# https://github.com/google-github-actions/auth#preferred-direct-workload-identity-federation
resource "google_iam_workload_identity_pool" "github" {
  workload_identity_pool_id = "github"
  depends_on                = [google_project_service.needed]
}

resource "google_iam_workload_identity_pool_provider" "github" {
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = "actions"

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }

  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
  }

  attribute_condition = "assertion.repository == '${var.github_repository}' && assertion.ref == 'refs/heads/main'"
}

resource "google_service_account_iam_member" "github_is_submitter" {
  service_account_id = google_service_account.submitter.name
  role               = "roles/iam.workloadIdentityUser"
  member = join("/", [
    "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}",
    "attribute.repository/${var.github_repository}",
  ])
}
