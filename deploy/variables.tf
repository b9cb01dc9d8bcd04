variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Where everything runs and is stored."
  type        = string
  default     = "us-central1"
}

variable "github_owner" {
  description = "User or organisation on GitHub whose repository's workflows may submit runs."
  type        = string
}

variable "github_repository" {
  description = "Name of that repository, without its owner."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository is the name alone; the owner is github_owner."
  }
}
