"""On Google Cloud: grading on a Pub/Sub message, as a function or as a Cloud Run service."""
