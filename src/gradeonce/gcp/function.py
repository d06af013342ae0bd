"""The entry point of the cloud function: a CloudEvent of Pub/Sub comes in, and whatever must come again raises.

Deployed as a folder whose `main.py` says `from gradeonce.gcp.function import grade_on_message`. `GET /health` is there,
too, under the functions framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask
import functions_framework
from werkzeug.exceptions import ServiceUnavailable

from gradeonce.errors import GradeonceError, UsageError
from gradeonce.gcp import logs, service
from gradeonce.gcp.envelope import of_cloud_event
from gradeonce.gcp.handler import malformed

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent


@functions_framework.cloud_event
def grade_on_message(event: CloudEvent) -> None:
    """Grade the date that a message names; see `gradeonce.gcp.handler.Handler`.

    Raises:
        ServiceUnavailable: If the event is to come again; the error of ours is its cause.
    """
    logs.write_json_lines()
    try:
        envelope = of_cloud_event(event.get_attributes(), event.get_data())
    except UsageError as error:
        malformed(error, event_id=str(event.get_attributes().get("id", "")))
        return
    try:
        service.handle(envelope)
    except GradeonceError as error:
        # As an answer of HTTP, for the framework would log the traceback of whatever else is raised, time and again.
        raise ServiceUnavailable(str(error)) from error


if flask.has_app_context():
    # The framework runs this module within its app, and has no page of its own for those who ask how we are.
    flask.current_app.add_url_rule("/health", "health", lambda: service.health()[::-1], methods=["GET"])
