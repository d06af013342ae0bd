# Names and defaults are those of `gradeonce gcp deploy`; a test holds them against each other.

variable "project" {
  description = "Id of the project, which must exist."
  type        = string
}

variable "region" {
  description = "Where the code runs and the schedule is kept."
  type        = string
  default     = "us-central1"
}

variable "name" {
  description = "Of the function; other names are made of it."
  type        = string
  default     = "gradeonce"
}

variable "dataset" {
  description = "Of the book, in BigQuery."
  type        = string
  default     = "gradeonce"
}

variable "dataset_location" {
  description = "Where the dataset is."
  type        = string
  default     = "US"
}

variable "database" {
  description = "Firestore database of the leases."
  type        = string
  default     = "(default)"
}

variable "database_location" {
  description = "Where that is; empty: the region."
  type        = string
  default     = ""
}

variable "collection" {
  description = "Collection of the leases."
  type        = string
  default     = "locks"
}

variable "topic" {
  description = "Where messages that ask for a grading arrive."
  type        = string
  default     = "nba-grading-trigger"
}

variable "completion_topic" {
  description = "Where finished gradings are announced."
  type        = string
  default     = "nba-grading-complete"
}

variable "dead_letter_topic" {
  description = "Where messages go that failed too often."
  type        = string
  default     = "nba-grading-dead-letter"
}

variable "secret" {
  description = "Secret that holds the URL of the Slack webhook."
  type        = string
  default     = "gradeonce-slack-webhook"
}

variable "memory" {
  description = "Of one instance."
  type        = string
  default     = "512Mi"
}

variable "timeout_seconds" {
  description = "How long one message may take."
  type        = number
  default     = 540

  validation {
    condition     = var.timeout_seconds >= 60 && var.timeout_seconds <= 540
    error_message = "60 to 540 seconds: Pub/Sub sends a message again after 600."
  }
}

variable "max_instances" {
  description = "How many instances may run at once."
  type        = number
  default     = 3
}

variable "schedule" {
  description = "When the nightly message is sent, as cron writes it."
  type        = string
  default     = "0 6 * * *"
}

variable "timezone" {
  description = "Where that time is counted."
  type        = string
  default     = "America/New_York"
}

variable "has_scheduler" {
  description = "Whether that message is sent at all."
  type        = bool
  default     = true
}

variable "variables" {
  description = "Further environment variables of the code; no place for secrets."
  type        = map(string)
  default     = {}
}

variable "source_folder" {
  description = "Folder of the code, written by `gradeonce gcp source`."
  type        = string
  default     = "gradeonce-cloud"
}
