"""The edge: Google's own commands, run as they are, with their arguments as a list and never through a shell."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess

from gradeonce.errors import CloudError, ConfigError
from gradeonce.gcp.deploy.script import shown
from gradeonce.gcp.deploy.steps import Command, Document

logger = logging.getLogger(__name__)

COMMAND_SECONDS = 1200.0
"""How long one command may take: a build takes minutes."""

_TELLING_LINES = 6
"""So many of the last lines of a command's complaint are passed on."""


class Gcloud:
    """Runs `gcloud` and `bq` of this machine, as whoever is logged in to them."""

    def document(self, command: Command) -> Document:
        """Run a command that prints JSON and return it; None if it prints nothing.

        Raises:
            CloudError: As `run`; also if what it prints is no JSON.
        """
        text = self.run(command).strip()
        if not text:
            return None
        try:
            document: Document = json.loads(text)
        except ValueError as error:
            raise CloudError(
                f"{command[0]} printed no JSON, but {text[:80]!r}.",
                command=shown(command),
                hint=f"See what it says: {shown(command)}",
            ) from error
        return document

    def run(self, command: Command) -> str:
        """Run a command; return what it prints.

        Raises:
            ConfigError: If the program is not installed.
            CloudError: If it fails or takes too long; the message is the command's own.
        """
        program = shutil.which(command[0])
        if program is None:
            raise ConfigError(
                f"The program {command[0]} is not here.",
                hint="Install the Google Cloud CLI, log in with `gcloud auth login`, and run the same again.",
            )
        logger.debug("running %s", shown(command))
        try:
            done = subprocess.run(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=COMMAND_SECONDS,
                check=False,
                env={**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
            )
        except subprocess.TimeoutExpired as error:
            raise CloudError(
                f"`{_head(command)}` did not end within {COMMAND_SECONDS:.0f} s.",
                command=shown(command),
                state="What it did is not known; what stood before stands.",
                hint="Run the same again: it looks first.",
            ) from error
        if done.returncode != 0:
            raise CloudError(
                f"`{_head(command)}` failed: {_complaint(done.stderr, done.stdout)}", command=shown(command)
            )
        return done.stdout


def is_passing(error: CloudError) -> bool:
    """Say whether the same command may succeed in a moment: what was just made is not known everywhere at once."""
    return bool(_PASSING.search(error.message))


def is_not_there(error: CloudError) -> bool:
    """Say whether a command failed because what it is about does not stand."""
    return bool(_NOT_THERE.search(error.message))


_PASSING = re.compile(
    r"has not been used in project|it is disabled|does not exist|concurrent (policy )?change|"
    r"\bUNAVAILABLE\b|\bABORTED\b|try again|try your request again|Permission denied while using the Eventarc",
    re.IGNORECASE,
)


_NOT_THERE = re.compile(
    r"NOT_FOUND|\bnot found\b|does not exist|could not be found|cannot find|\b404\b|unknown service account",
    re.IGNORECASE,
)


def _head(command: Command) -> str:
    """Return the program and its verbs, without what they are about."""
    verbs = [word for word in command[1:] if not word.startswith("-")]
    return " ".join([command[0], *verbs])[:120]


def _complaint(error: str, output: str) -> str:
    # bq complains on its standard output.
    lines = [line.strip() for line in (error.strip() or output.strip()).splitlines() if line.strip()]
    return " ".join(lines[-_TELLING_LINES:])[:600] or "it said nothing"
