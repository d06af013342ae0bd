"""The entry point of the cloud function: a CloudEvent of Pub/Sub comes in, and whatever must come again raises.

Deployed as a folder whose `main.py` says `from gradeonce.gcp.function import grade_on_message`. `GET /health` is there,
too, under the functions framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
import functions_framework
from werkzeug.exceptions import ServiceUnavailable

from gradeonce.errors import GradeonceError, UsageError
from gradeonce.gcp import logs, service
from gradeonce.gcp.envelope import of_cloud_event, of_request
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


def _acknowledge_poison() -> dict[str, Any] | None:
    """Answer what the framework would refuse before we see it, since Pub/Sub would bring it for ever."""
    # Any: JSON values.
    if flask.request.method != "POST":
        return None
    logs.write_json_lines()
    headers = {name.lower(): value for name, value in flask.request.headers.items()}
    try:
        of_request(headers, flask.request.get_data())
    except UsageError as error:
        return service.document_of(malformed(error))
    return None


if flask.has_app_context():
    # The framework runs this module within its app; a message without data is none of those that it can convert, and
    # it has no page for those who ask how we are.
    flask.current_app.before_request(_acknowledge_poison)
    flask.current_app.add_url_rule("/health", "health", lambda: service.health()[::-1], methods=["GET"])
