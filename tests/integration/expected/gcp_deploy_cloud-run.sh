# What `gradeonce gcp deploy` runs: it looks first, makes what is missing, and changes what differs.
set -eu

# The code that is sent.
mkdir -p gradeonce-cloud
cat > gradeonce-cloud/main.py <<'END'
"""Written by `gradeonce gcp deploy`; the next one writes it again."""

from gradeonce.gcp.function import grade_on_message

__all__ = ["grade_on_message"]
END
cat > gradeonce-cloud/requirements.txt <<'END'
gradeonce[gcp]==0.2.0
END

# 1. project my-project: everything lies in it
#    look: gcloud projects describe my-project --format=json
#    undo: not ours to undo

# 2. API artifactregistry.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable artifactregistry.googleapis.com --project=my-project --quiet
#    undo: stays

# 3. API bigquery.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable bigquery.googleapis.com --project=my-project --quiet
#    undo: stays

# 4. API cloudbuild.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable cloudbuild.googleapis.com --project=my-project --quiet
#    undo: stays

# 5. API cloudscheduler.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable cloudscheduler.googleapis.com --project=my-project --quiet
#    undo: stays

# 6. API firestore.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable firestore.googleapis.com --project=my-project --quiet
#    undo: stays

# 7. API iam.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable iam.googleapis.com --project=my-project --quiet
#    undo: stays

# 8. API pubsub.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable pubsub.googleapis.com --project=my-project --quiet
#    undo: stays

# 9. API run.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable run.googleapis.com --project=my-project --quiet
#    undo: stays

# 10. API secretmanager.googleapis.com: Google's switch for it
#    look: gcloud services list --enabled --project=my-project --format=json
gcloud services enable secretmanager.googleapis.com --project=my-project --quiet
#    undo: stays

# 11. service account gradeonce-runtime: the code runs as this account
#    look: gcloud iam service-accounts list --project=my-project --format=json
gcloud iam service-accounts create gradeonce-runtime --display-name='gradeonce: the code runs as this account' --description='Made by gradeonce gcp deploy' --project=my-project --quiet
#    undo: gcloud iam service-accounts delete gradeonce-runtime@my-project.iam.gserviceaccount.com --project=my-project --quiet

# 12. service account gradeonce-invoker: Pub/Sub calls the code in its name
#    look: gcloud iam service-accounts list --project=my-project --format=json
gcloud iam service-accounts create gradeonce-invoker --display-name='gradeonce: Pub/Sub calls the code in its name' --description='Made by gradeonce gcp deploy' --project=my-project --quiet
#    undo: gcloud iam service-accounts delete gradeonce-invoker@my-project.iam.gserviceaccount.com --project=my-project --quiet

# 13. service account gradeonce-build: builds the image
#    look: gcloud iam service-accounts list --project=my-project --format=json
gcloud iam service-accounts create gradeonce-build --display-name='gradeonce: builds the image' --description='Made by gradeonce gcp deploy' --project=my-project --quiet
#    undo: gcloud iam service-accounts delete gradeonce-build@my-project.iam.gserviceaccount.com --project=my-project --quiet

# 14. topic nba-grading-trigger: messages that ask for a grading
#    look: gcloud pubsub topics list --project=my-project --format=json
gcloud pubsub topics create nba-grading-trigger --labels=made-by=gradeonce --project=my-project --quiet
#    undo: gcloud pubsub topics delete nba-grading-trigger --project=my-project --quiet

# 15. topic nba-grading-complete: announcements of finished gradings
#    look: gcloud pubsub topics list --project=my-project --format=json
gcloud pubsub topics create nba-grading-complete --labels=made-by=gradeonce --project=my-project --quiet
#    undo: gcloud pubsub topics delete nba-grading-complete --project=my-project --quiet

# 16. topic nba-grading-dead-letter: messages that failed too often
#    look: gcloud pubsub topics list --project=my-project --format=json
gcloud pubsub topics create nba-grading-dead-letter --labels=made-by=gradeonce --project=my-project --quiet
#    undo: gcloud pubsub topics delete nba-grading-dead-letter --project=my-project --quiet    (by hand only: it holds data)

# 17. subscription nba-grading-dead-letter-kept: keeps dead letters until somebody looks; without one they would be gone at once
#    look: gcloud pubsub subscriptions list --project=my-project --format=json
gcloud pubsub subscriptions create nba-grading-dead-letter-kept --topic=nba-grading-dead-letter --expiration-period=never --message-retention-duration=7d --labels=made-by=gradeonce --project=my-project --quiet
#    undo: gcloud pubsub subscriptions delete nba-grading-dead-letter-kept --project=my-project --quiet    (by hand only: it holds data)

# 18. dataset gradeonce: the book: predictions, box scores, grades
#    look: bq --headless --project_id=my-project --format=json ls --max_results=10000
bq --headless --project_id=my-project --location=US mk --dataset --label=made-by:gradeonce --description='Made by gradeonce gcp deploy' my-project:gradeonce
#    undo: bq --headless --project_id=my-project rm -r -f --dataset my-project:gradeonce    (by hand only: it holds data)

# 19. Firestore database (default): the leases
#    look: gcloud firestore databases list --project=my-project --format=json
gcloud firestore databases create --database='(default)' --location=us-central1 --type=firestore-native --delete-protection --project=my-project --quiet
#    undo: gcloud firestore databases delete --database='(default)' --project=my-project    (by hand only: it holds data)

# 20. secret gradeonce-slack-webhook: an empty place for the URL of the Slack webhook, which you put in
#    look: gcloud secrets list --project=my-project --format=json
gcloud secrets create gradeonce-slack-webhook --replication-policy=automatic --labels=made-by=gradeonce --project=my-project --quiet
#    undo: gcloud secrets delete gradeonce-slack-webhook --project=my-project    (by hand only: it holds data)

# 21. runtime account: bigquery.jobUser on the project: run queries and load jobs; it gives no access to any data
#    look: gcloud projects get-iam-policy my-project --format=json
gcloud projects add-iam-policy-binding my-project --member=serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com --role=roles/bigquery.jobUser --condition=None --quiet --format=none
#    undo: gcloud projects remove-iam-policy-binding my-project --member=serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com --role=roles/bigquery.jobUser --condition=None --quiet --format=none

# 22. runtime account: bigquery.dataEditor on dataset gradeonce: read predictions and box scores, make staging tables, publish; in this dataset only
#    look: bq --headless --project_id=my-project --format=json show --dataset my-project:gradeonce
bq --headless --project_id=my-project --location=US query --use_legacy_sql=false 'GRANT `roles/bigquery.dataEditor` ON SCHEMA `my-project`.`gradeonce` TO "serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com"'
#    undo: bq --headless --project_id=my-project --location=US query --use_legacy_sql=false 'REVOKE `roles/bigquery.dataEditor` ON SCHEMA `my-project`.`gradeonce` FROM "serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com"'

# 23. runtime account: datastore.user on Firestore database (default): take, renew and release leases; a condition keeps it to this database
#    look: gcloud projects get-iam-policy my-project --format=json
gcloud projects add-iam-policy-binding my-project --member=serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com --role=roles/datastore.user --condition='expression=resource.name=="projects/my-project/databases/(default)",title=gradeonce-leases' --quiet --format=none
#    undo: gcloud projects remove-iam-policy-binding my-project --member=serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com --role=roles/datastore.user --condition='expression=resource.name=="projects/my-project/databases/(default)",title=gradeonce-leases' --quiet --format=none

# 24. runtime account: pubsub.publisher on topic nba-grading-complete: announce a finished grading
#    look: gcloud pubsub topics get-iam-policy nba-grading-complete --project=my-project --format=json
gcloud pubsub topics add-iam-policy-binding nba-grading-complete --project=my-project --member=serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com --role=roles/pubsub.publisher --quiet --format=none
#    undo: gcloud pubsub topics remove-iam-policy-binding nba-grading-complete --project=my-project --member=serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com --role=roles/pubsub.publisher --quiet --format=none

# 25. runtime account: secretmanager.secretAccessor on secret gradeonce-slack-webhook: read the URL of the Slack webhook, and no other secret
#    look: gcloud secrets get-iam-policy gradeonce-slack-webhook --project=my-project --format=json
gcloud secrets add-iam-policy-binding gradeonce-slack-webhook --project=my-project --member=serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com --role=roles/secretmanager.secretAccessor --quiet --format=none
#    undo: gcloud secrets remove-iam-policy-binding gradeonce-slack-webhook --project=my-project --member=serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com --role=roles/secretmanager.secretAccessor --quiet --format=none

# 26. build account: run.builder on the project: fetch the code, build it, store the image
#    look: gcloud projects get-iam-policy my-project --format=json
gcloud projects add-iam-policy-binding my-project --member=serviceAccount:gradeonce-build@my-project.iam.gserviceaccount.com --role=roles/run.builder --condition=None --quiet --format=none
#    undo: gcloud projects remove-iam-policy-binding my-project --member=serviceAccount:gradeonce-build@my-project.iam.gserviceaccount.com --role=roles/run.builder --condition=None --quiet --format=none

# 27. Pub/Sub's own account: iam.serviceAccountTokenCreator on service account gradeonce-invoker: sign the token that a push carries; granted on the invoker alone
project_number=$(gcloud projects describe my-project --format='value(projectNumber)')
#    look: gcloud iam service-accounts get-iam-policy gradeonce-invoker@my-project.iam.gserviceaccount.com --project=my-project --format=json
gcloud iam service-accounts add-iam-policy-binding gradeonce-invoker@my-project.iam.gserviceaccount.com --project=my-project --member="serviceAccount:service-${project_number}@gcp-sa-pubsub.iam.gserviceaccount.com" --role=roles/iam.serviceAccountTokenCreator --quiet --format=none
#    undo: gcloud iam service-accounts remove-iam-policy-binding gradeonce-invoker@my-project.iam.gserviceaccount.com --project=my-project --member="serviceAccount:service-${project_number}@gcp-sa-pubsub.iam.gserviceaccount.com" --role=roles/iam.serviceAccountTokenCreator --quiet --format=none

# 28. Pub/Sub's own account: pubsub.publisher on topic nba-grading-dead-letter: put a message aside that failed too often
#    look: gcloud pubsub topics get-iam-policy nba-grading-dead-letter --project=my-project --format=json
gcloud pubsub topics add-iam-policy-binding nba-grading-dead-letter --project=my-project --member="serviceAccount:service-${project_number}@gcp-sa-pubsub.iam.gserviceaccount.com" --role=roles/pubsub.publisher --quiet --format=none
#    undo: gcloud pubsub topics remove-iam-policy-binding nba-grading-dead-letter --project=my-project --member="serviceAccount:service-${project_number}@gcp-sa-pubsub.iam.gserviceaccount.com" --role=roles/pubsub.publisher --quiet --format=none

# 29. Cloud Run service gradeonce: grades what a message asks for
#    look: gcloud run services list --region=us-central1 --project=my-project --format=json
gcloud run deploy gradeonce --source=gradeonce-cloud --function=grade_on_message --base-image=python312 --memory=512Mi --timeout=540s --max-instances=3 --concurrency=1 --service-account=gradeonce-runtime@my-project.iam.gserviceaccount.com --build-service-account=projects/my-project/serviceAccounts/gradeonce-build@my-project.iam.gserviceaccount.com --no-allow-unauthenticated --set-env-vars='^@@^GRADEONCE_WAREHOUSE_BOOK=bigquery://my-project/gradeonce?location=US@@GRADEONCE_LOCK_STORE=firestore://my-project/locks@@GRADEONCE_LEAGUE_TIMEZONE=America/New_York@@GRADEONCE_FUNCTION_TIMEOUT_SECONDS=540@@GRADEONCE_FUNCTION_COMPLETION_TOPIC=projects/my-project/topics/nba-grading-complete@@GRADEONCE_ALERTS_SLACK=secret://projects/my-project/secrets/gradeonce-slack-webhook' --labels=made-by=gradeonce,deployment=35c2b70edcd10756 --region=us-central1 --project=my-project --quiet --format=none
#    undo: gcloud run services delete gradeonce --region=us-central1 --project=my-project --quiet

# 30. traffic to the latest revision: after a rollback, a new revision would get none
#    look: gcloud run services list --region=us-central1 --project=my-project --format=json
gcloud run services update-traffic gradeonce --to-latest --region=us-central1 --project=my-project --quiet --format=none
#    undo: goes with the Cloud Run service gradeonce

# 31. invoker account: run.invoker on Cloud Run service gradeonce: call the code; nobody else may, and no anonymous caller
#    look: gcloud run services get-iam-policy gradeonce --region=us-central1 --project=my-project --format=json
gcloud run services add-iam-policy-binding gradeonce --region=us-central1 --project=my-project --member=serviceAccount:gradeonce-invoker@my-project.iam.gserviceaccount.com --role=roles/run.invoker --quiet --format=none
#    undo: gcloud run services remove-iam-policy-binding gradeonce --region=us-central1 --project=my-project --member=serviceAccount:gradeonce-invoker@my-project.iam.gserviceaccount.com --role=roles/run.invoker --quiet --format=none

# 32. subscription gradeonce-push: pushes messages to the service, each with a signed token
service_url=$(gcloud run services describe gradeonce --region=us-central1 --project=my-project --format='value(status.url)')
#    look: gcloud pubsub subscriptions list --project=my-project --format=json
gcloud pubsub subscriptions create gradeonce-push --topic=nba-grading-trigger --labels=made-by=gradeonce --push-endpoint="${service_url}" --push-auth-service-account=gradeonce-invoker@my-project.iam.gserviceaccount.com --ack-deadline=600 --dead-letter-topic=projects/my-project/topics/nba-grading-dead-letter --max-delivery-attempts=20 --min-retry-delay=10s --max-retry-delay=600s --expiration-period=never --project=my-project --quiet
#    if it differs: gcloud pubsub subscriptions update gradeonce-push --push-endpoint="${service_url}" --push-auth-service-account=gradeonce-invoker@my-project.iam.gserviceaccount.com --ack-deadline=600 --dead-letter-topic=projects/my-project/topics/nba-grading-dead-letter --max-delivery-attempts=20 --min-retry-delay=10s --max-retry-delay=600s --expiration-period=never --project=my-project --quiet
#    undo: gcloud pubsub subscriptions delete gradeonce-push --project=my-project --quiet

# 33. Pub/Sub's own account: pubsub.subscriber on subscription gradeonce-push: take a message off that was put aside
#    look: gcloud pubsub subscriptions get-iam-policy gradeonce-push --project=my-project --format=json
gcloud pubsub subscriptions add-iam-policy-binding gradeonce-push --project=my-project --member="serviceAccount:service-${project_number}@gcp-sa-pubsub.iam.gserviceaccount.com" --role=roles/pubsub.subscriber --quiet --format=none
#    undo: gcloud pubsub subscriptions remove-iam-policy-binding gradeonce-push --project=my-project --member="serviceAccount:service-${project_number}@gcp-sa-pubsub.iam.gserviceaccount.com" --role=roles/pubsub.subscriber --quiet --format=none

# 34. schedule gradeonce-nightly: asks for yesterday at 0 6 * * * of America/New_York
#    look: gcloud scheduler jobs list --location=us-central1 --project=my-project --format=json
gcloud scheduler jobs create pubsub gradeonce-nightly --schedule='0 6 * * *' --time-zone=America/New_York --topic=projects/my-project/topics/nba-grading-trigger --message-body='{"target_date":"yesterday","trigger_source":"scheduler"}' --description='Made by gradeonce gcp deploy' --max-retry-attempts=3 --min-backoff=30s --location=us-central1 --project=my-project --quiet --format=none
#    if it differs: gcloud scheduler jobs update pubsub gradeonce-nightly --schedule='0 6 * * *' --time-zone=America/New_York --topic=projects/my-project/topics/nba-grading-trigger --message-body='{"target_date":"yesterday","trigger_source":"scheduler"}' --description='Made by gradeonce gcp deploy' --max-retry-attempts=3 --min-backoff=30s --location=us-central1 --project=my-project --quiet --format=none
#    undo: gcloud scheduler jobs delete gradeonce-nightly --location=us-central1 --project=my-project --quiet
