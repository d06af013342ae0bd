# The same as `gradeonce gcp deploy`, for those who keep their cloud in Terraform. One of the two, not both.

locals {
  apis = toset([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudscheduler.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ])
  labels            = { made-by = "gradeonce" }
  description       = "Made by gradeonce's Terraform"
  database_location = var.database_location == "" ? var.region : var.database_location
  lock_database     = var.database == "(default)" ? "" : "?database=${var.database}"
  pubsub            = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  message           = "{\"target_date\":\"yesterday\",\"trigger_source\":\"scheduler\"}"
}

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "api" {
  for_each           = local.apis
  project            = var.project
  service            = each.value
  disable_on_destroy = false
}

# --- Who

resource "google_service_account" "runtime" {
  account_id   = "${var.name}-runtime"
  display_name = "gradeonce: the code runs as this account"
  description  = local.description
  depends_on   = [google_project_service.api]
}

resource "google_service_account" "invoker" {
  account_id   = "${var.name}-invoker"
  display_name = "gradeonce: Pub/Sub calls the code in its name"
  description  = local.description
  depends_on   = [google_project_service.api]
}

resource "google_service_account" "build" {
  account_id   = "${var.name}-build"
  display_name = "gradeonce: builds the image"
  description  = local.description
  depends_on   = [google_project_service.api]
}

# --- Where messages go

resource "google_pubsub_topic" "trigger" {
  name       = var.topic
  labels     = local.labels
  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic" "completion" {
  name       = var.completion_topic
  labels     = local.labels
  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic" "dead_letter" {
  name       = var.dead_letter_topic
  labels     = local.labels
  depends_on = [google_project_service.api]
}

# Without a subscription, dead letters would be gone at once.
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "${var.dead_letter_topic}-kept"
  topic                      = google_pubsub_topic.dead_letter.id
  message_retention_duration = "604800s"
  labels                     = local.labels

  expiration_policy {
    ttl = ""
  }
}

# --- Where data is; none of it is destroyed

resource "google_bigquery_dataset" "book" {
  dataset_id                 = var.dataset
  location                   = var.dataset_location
  description                = local.description
  labels                     = local.labels
  delete_contents_on_destroy = false
  depends_on                 = [google_project_service.api]

  lifecycle {
    prevent_destroy = true
    # Grants on the dataset are resources of their own.
    ignore_changes = [access]
  }
}

resource "google_firestore_database" "leases" {
  name                    = var.database
  location_id             = local.database_location
  type                    = "FIRESTORE_NATIVE"
  delete_protection_state = "DELETE_PROTECTION_ENABLED"
  deletion_policy         = "ABANDON"
  depends_on              = [google_project_service.api]
}

# An empty place: the value is put in by hand, so that it is in no state file.
resource "google_secret_manager_secret" "slack" {
  secret_id  = var.secret
  labels     = local.labels
  depends_on = [google_project_service.api]

  replication {
    auto {}
  }

  lifecycle {
    prevent_destroy = true
  }
}

# --- Who may do what

resource "google_project_iam_member" "runtime_jobs" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.runtime.member
}

resource "google_bigquery_dataset_iam_member" "runtime_book" {
  dataset_id = google_bigquery_dataset.book.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.runtime.member
}

resource "google_project_iam_member" "runtime_leases" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.runtime.member

  condition {
    title      = "gradeonce-leases"
    expression = "resource.name==\"projects/${var.project}/databases/${var.database}\""
  }
}

resource "google_pubsub_topic_iam_member" "runtime_completion" {
  topic  = google_pubsub_topic.completion.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.runtime.member
}

resource "google_secret_manager_secret_iam_member" "runtime_slack" {
  secret_id = google_secret_manager_secret.slack.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.runtime.member
}

resource "google_project_iam_member" "build_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

resource "google_project_iam_member" "build_images" {
  project = var.project
  role    = "roles/artifactregistry.writer"
  member  = google_service_account.build.member
}

resource "google_project_iam_member" "build_code" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member
}

resource "google_service_account_iam_member" "pubsub_invoker" {
  service_account_id = google_service_account.invoker.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub
}

resource "google_pubsub_topic_iam_member" "pubsub_dead_letter" {
  topic  = google_pubsub_topic.dead_letter.name
  role   = "roles/pubsub.publisher"
  member = local.pubsub
}

resource "google_cloud_run_v2_service_iam_member" "invoker_service" {
  name     = google_cloudfunctions2_function.grader.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.invoker.member
}

resource "google_pubsub_subscription_iam_member" "pubsub_push" {
  subscription = google_pubsub_subscription.push.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub
}

# --- The code

data "archive_file" "code" {
  type        = "zip"
  source_dir  = var.source_folder
  output_path = "${path.module}/.code.zip"
}

resource "google_storage_bucket" "code" {
  name                        = "${var.project}-${var.name}-code"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
  labels                      = local.labels
}

resource "google_storage_bucket_object" "code" {
  name   = "${data.archive_file.code.output_sha256}.zip"
  bucket = google_storage_bucket.code.name
  source = data.archive_file.code.output_path
}

resource "google_cloudfunctions2_function" "grader" {
  name        = var.name
  location    = var.region
  description = local.description
  labels      = local.labels

  build_config {
    runtime         = "python312"
    entry_point     = "grade_on_message"
    service_account = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.code.name
        object = google_storage_bucket_object.code.name
      }
    }
  }

  service_config {
    available_memory                 = var.memory
    timeout_seconds                  = var.timeout_seconds
    max_instance_count               = var.max_instances
    max_instance_request_concurrency = 1
    service_account_email            = google_service_account.runtime.email
    all_traffic_on_latest_revision   = true

    environment_variables = merge({
      GRADEONCE_WAREHOUSE_BOOK            = "bigquery://${var.project}/${var.dataset}?location=${var.dataset_location}"
      GRADEONCE_LOCK_STORE                = "firestore://${var.project}/${var.collection}${local.lock_database}"
      GRADEONCE_LEAGUE_TIMEZONE           = var.timezone
      GRADEONCE_FUNCTION_TIMEOUT_SECONDS  = tostring(var.timeout_seconds)
      GRADEONCE_FUNCTION_COMPLETION_TOPIC = "projects/${var.project}/topics/${var.completion_topic}"
      GRADEONCE_ALERTS_SLACK              = "secret://projects/${var.project}/secrets/${var.secret}"
    }, var.variables)
  }

  depends_on = [
    google_project_iam_member.build_logs,
    google_project_iam_member.build_images,
    google_project_iam_member.build_code,
  ]
}

# --- What asks it

# Not a trigger of the function: the subscription of one can be given neither a deadline nor a place for dead letters here.
resource "google_pubsub_subscription" "push" {
  name                 = "${var.name}-push"
  topic                = google_pubsub_topic.trigger.id
  ack_deadline_seconds = 600
  labels               = local.labels

  push_config {
    push_endpoint = google_cloudfunctions2_function.grader.service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.invoker.email
    }
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter.id
    max_delivery_attempts = 20
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  expiration_policy {
    ttl = ""
  }
}

resource "google_cloud_scheduler_job" "nightly" {
  count       = var.has_scheduler ? 1 : 0
  name        = "${var.name}-nightly"
  region      = var.region
  description = local.description
  schedule    = var.schedule
  time_zone   = var.timezone
  depends_on  = [google_project_service.api]

  pubsub_target {
    topic_name = google_pubsub_topic.trigger.id
    data       = base64encode(local.message)
  }

  retry_config {
    retry_count          = 3
    min_backoff_duration = "30s"
  }
}
