variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Where everything runs and is stored."
  type        = string
  default     = "us-central1"
}

variable "github_repository" {
  description = "OWNER/NAME of the repository whose workflows may submit runs."
  type        = string
  validation {
    condition     = can(regex("^[^/ ]+/[^/ ]+$", var.github_repository))
    error_message = "github_repository is OWNER/NAME."
  }
}
