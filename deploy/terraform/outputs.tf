output "topic" {
  description = "Publish here to ask for a grading."
  value       = google_pubsub_topic.trigger.id
}

output "completion_topic" {
  description = "Subscribe here to hear of finished gradings."
  value       = google_pubsub_topic.completion.id
}

output "runtime_account" {
  description = "Who the code runs as: grant it dataViewer on datasets of yours that it is to read."
  value       = google_service_account.runtime.email
}

output "environment" {
  description = "For gradeonce on your own machine."
  value = {
    GRADEONCE_WAREHOUSE_BOOK = google_cloudfunctions2_function.grader.service_config[0].environment_variables["GRADEONCE_WAREHOUSE_BOOK"]
    GRADEONCE_LOCK_STORE     = google_cloudfunctions2_function.grader.service_config[0].environment_variables["GRADEONCE_LOCK_STORE"]
  }
}

output "webhook" {
  description = "Puts the webhook in: paste its URL, then Ctrl-D."
  value       = "gcloud secrets versions add ${var.secret} --project=${var.project} --data-file=-"
}
