"""A `gcloud` and a `bq` for tests: programs of their own, with a project in a file, that answer as the real ones do.

They know the commands that `gradeonce gcp` runs and fail on every other one. Each call is written down. A test may let
a command fail, or put something into the project beforehand.
"""

# ruff: noqa: PTH110, PTH119, PTH113, PTH118, PTH120, PTH123
from __future__ import annotations

import json
import os
import sys

# It is started a hundred times in a test: what takes long to import is not imported by the programs.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

# Any: JSON, as the commands of Google print it.

NUMBER = "123456789012"
PROJECT = "my-project"
TRIGGER = f"projects/{PROJECT}/locations/us-central1/triggers/gradeonce-1"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/eventarc-us-central1-gradeonce-1-sub-001"


class FakeProject:
    """A project that the programs work on."""

    def __init__(self, folder: Path) -> None:
        """Make an empty project and the programs."""
        import threading

        self._one_at_a_time = threading.Lock()
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self._state, self._calls, self._faults = (folder / name for name in ("state.json", "calls", "faults.json"))
        self.state = empty()
        # -I and -S: without the site packages it starts in a fraction of the time.
        for name in ("gcloud", "bq"):
            start = f"#!{sys.executable} -IS\nimport sys\nsys.path.append({os.path.dirname(__file__)!r})\n"
            run = f"sys.exit(fake_gcloud.main({str(folder)!r}, {name!r}, sys.argv[1:]))\n"
            path = self.bin / name
            path.write_text(f"{start}import fake_gcloud\n{run}", encoding="utf-8")
            path.chmod(0o755)

    @property
    def path(self) -> str:
        """Value of PATH that finds these programs first."""
        return f"{self.bin}{os.pathsep}{os.environ['PATH']}"

    @property
    def state(self) -> dict[str, Any]:
        """The project as it is now."""
        found: dict[str, Any] = json.loads(self._state.read_text(encoding="utf-8"))
        return found

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._state.write_text(json.dumps(state), encoding="utf-8")

    @property
    def calls(self) -> list[list[str]]:
        """Every call so far, the program first."""
        if not self._calls.exists():
            return []
        return [json.loads(line) for line in self._calls.read_text(encoding="utf-8").splitlines()]

    @property
    def changes(self) -> list[list[str]]:
        """The calls that change something."""
        return [call for call in self.calls if not is_look(call[1:])]

    def run(self, command: list[str], **options: Any) -> Any:
        """Stand in for `subprocess.run`: the same answers, without a process for each."""
        import contextlib
        import io
        import subprocess

        program = os.path.basename(command[0])
        assert command[0] == str(self.bin / program), command[0]
        # Standard output is one for all threads.
        out, err = io.StringIO(), io.StringIO()
        with self._one_at_a_time, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(str(self.folder), program, command[1:])
        return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())

    def forget_calls(self) -> None:
        """Forget the calls so far."""
        self._calls.unlink(missing_ok=True)

    def fail(self, words: str, complaint: str, *, times: int = 1_000_000) -> None:
        """Let every command that holds these words fail, so many times."""
        self._faults.write_text(json.dumps([words, complaint, times]), encoding="utf-8")

    def mend(self) -> None:
        """Let nothing fail any more."""
        self._faults.unlink(missing_ok=True)


def empty() -> dict[str, Any]:
    """Return a project in which nothing was made yet."""
    return {
        "services": [],
        "accounts": [],
        "topics": [],
        "subscriptions": [],
        "datasets": [],
        "databases": [],
        "secrets": [],
        "versions": {},
        "functions": [],
        "runs": [],
        "revisions": [],
        "jobs": [],
        "policies": {},
        "announcements": [],
    }


def is_look(words: list[str]) -> bool:
    """Say whether a command only looks."""
    return bool({"list", "describe", "get-iam-policy", "ls", "show"} & set(words[:6]))


class Refused(Exception):
    """The command fails with this complaint."""


def answer(program: str, words: list[str], state: dict[str, Any]) -> Any:
    """Return what a command prints; the state is changed."""
    flags: dict[str, str] = {}
    plain: list[str] = []
    for word in words:
        if word.startswith("-"):
            name, _, value = word.partition("=")
            flags[name] = value
        else:
            plain.append(word)
    if program == "bq":
        return _bq(plain, flags, state)
    if any(word.endswith("-iam-policy-binding") or word == "get-iam-policy" for word in plain):
        return _policy(plain, flags, state)
    for verbs, act in _COMMANDS.items():
        count = len(verbs.split())
        if " ".join(plain[:count]) == verbs:
            return act(plain[count:], flags, state)
    raise Refused(f"ERROR: Invalid choice: {' '.join(plain)}")


def _projects_describe(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    if names[0] != PROJECT:
        raise Refused("ERROR: (gcloud.projects.describe) User does not have permission to access projects instance")
    if flags["--format"] == "value(projectNumber)":
        return NUMBER
    return {"projectId": PROJECT, "projectNumber": NUMBER, "lifecycleState": "ACTIVE"}


def _enable(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    state["services"].append({"config": {"name": names[0]}, "state": "ENABLED"})


def _create_account(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    address = f"{names[0]}@{PROJECT}.iam.gserviceaccount.com"
    _new(state["accounts"], "email", address)
    state["accounts"].append({"email": address, "description": flags["--description"]})


def _delete_account(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    _delete(state["accounts"], "email", names[0])


def _create_topic(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    name = f"projects/{PROJECT}/topics/{names[0]}"
    _new(state["topics"], "name", name)
    state["topics"].append({"name": name, "labels": _pairs(flags["--labels"])})


def _delete_topic(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    _delete(state["topics"], "name", f"projects/{PROJECT}/topics/{names[0]}")
    state["policies"].pop(f"topics/{names[0]}", None)


def _create_subscription(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    name = f"projects/{PROJECT}/subscriptions/{names[0]}"
    _new(state["subscriptions"], "name", name)
    topic = f"projects/{PROJECT}/topics/{flags['--topic']}"
    _find(state["topics"], "name", topic)
    entry = {"name": name, "topic": topic, "ackDeadlineSeconds": 10, "labels": _pairs(flags.get("--labels", ""))}
    state["subscriptions"].append(entry)
    _deliver(entry, flags, state)


def _update_subscription(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    name = names[0] if "/" in names[0] else f"projects/{PROJECT}/subscriptions/{names[0]}"
    _deliver(_find(state["subscriptions"], "name", name), flags, state)


def _deliver(entry: dict[str, Any], flags: dict[str, str], state: dict[str, Any]) -> None:
    if "--ack-deadline" in flags:
        entry["ackDeadlineSeconds"] = int(flags["--ack-deadline"])
    if "--dead-letter-topic" in flags:
        _find(state["topics"], "name", flags["--dead-letter-topic"])
        entry["deadLetterPolicy"] = {
            "deadLetterTopic": flags["--dead-letter-topic"],
            "maxDeliveryAttempts": int(flags["--max-delivery-attempts"]),
        }
    if "--min-retry-delay" in flags:
        entry["retryPolicy"] = {
            "minimumBackoff": flags["--min-retry-delay"],
            "maximumBackoff": flags["--max-retry-delay"],
        }
    if "--push-endpoint" in flags:
        entry["pushConfig"] = {
            "pushEndpoint": flags["--push-endpoint"],
            "oidcToken": {"serviceAccountEmail": flags["--push-auth-service-account"]},
        }


def _delete_subscription(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    _delete(state["subscriptions"], "name", f"projects/{PROJECT}/subscriptions/{names[0]}")
    state["policies"].pop(f"subscriptions/{names[0]}", None)


def _pull(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    import base64

    _find(state["subscriptions"], "name", f"projects/{PROJECT}/subscriptions/{names[0]}")
    waiting = state["announcements"]
    return [
        {"ackId": "1", "message": {"data": base64.b64encode(json.dumps(one).encode()).decode(), "messageId": "1"}}
        for one in (waiting.pop(0) if waiting else [])
    ]


def _create_database(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    name = f"projects/{PROJECT}/databases/{flags['--database']}"
    _new(state["databases"], "name", name)
    state["databases"].append({"name": name, "type": "FIRESTORE_NATIVE", "locationId": flags["--location"]})


def _create_secret(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    name = f"projects/{NUMBER}/secrets/{names[0]}"
    _new(state["secrets"], "name", name)
    state["secrets"].append({"name": name, "labels": _pairs(flags["--labels"])})


def _versions(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    _find(state["secrets"], "name", f"projects/{NUMBER}/secrets/{names[0]}")
    return state["versions"].get(names[0], [])


def _deploy_function(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    _sources(flags)
    for account in ("--run-service-account", "--trigger-service-account"):
        _find(state["accounts"], "email", flags[account])
    name = f"projects/{PROJECT}/locations/{flags['--region']}/functions/{names[0]}"
    state["functions"] = [one for one in state["functions"] if one["name"] != name]
    state["functions"].append(
        {
            "name": name,
            "state": "ACTIVE",
            "labels": _pairs(flags["--update-labels"]),
            "serviceConfig": {
                "timeoutSeconds": int(flags["--timeout"].rstrip("s")),
                "maxInstanceCount": int(flags["--max-instances"]),
                "serviceAccountEmail": flags["--run-service-account"],
                "environmentVariables": flags["--set-env-vars"],
            },
            "eventTrigger": {"trigger": TRIGGER, "retryPolicy": "RETRY_POLICY_RETRY"},
        }
    )
    if not any(one["name"] == SUBSCRIPTION for one in state["subscriptions"]):
        pushed = {"oidcToken": {"serviceAccountEmail": flags["--trigger-service-account"]}}
        state["subscriptions"].append({"name": SUBSCRIPTION, "ackDeadlineSeconds": 10, "pushConfig": pushed})
    _revise(names[0], {}, state)


def _delete_function(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    _delete(state["functions"], "name", f"projects/{PROJECT}/locations/{flags['--region']}/functions/{names[0]}")
    _delete(state["subscriptions"], "name", SUBSCRIPTION)
    state["policies"].pop(SUBSCRIPTION.partition("/")[2].partition("/")[2], None)
    _delete_run(names, flags, state)


def _describe_function(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    name = f"projects/{PROJECT}/locations/{flags['--region']}/functions/{names[0]}"
    return _find(state["functions"], "name", name)["eventTrigger"]["trigger"]


def _describe_trigger(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    if names[0] != TRIGGER:
        raise Refused(f"ERROR: (gcloud.eventarc.triggers.describe) NOT_FOUND: {names[0]}")
    return SUBSCRIPTION


def _deploy_run(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    _sources(flags)
    _find(state["accounts"], "email", flags["--service-account"])
    spec = {
        "timeoutSeconds": int(flags["--timeout"].rstrip("s")),
        "serviceAccountName": flags["--service-account"],
        "environment": flags["--set-env-vars"],
    }
    _revise(names[0], {"labels": _pairs(flags["--labels"]), "spec": spec}, state)


def _revise(name: str, given: dict[str, Any], state: dict[str, Any]) -> None:
    number = len(state["revisions"]) + 1
    revision = f"{name}-{number:05}-abc"
    state["revisions"].append(
        {"metadata": {"name": revision, "creationTimestamp": f"2026-01-18T06:00:{number:02}.000000Z"}}
    )
    before = next((one for one in state["runs"] if one["metadata"]["name"] == name), None)
    traffic = [{"latestRevision": True, "percent": 100, "revisionName": revision}]
    if before and not before["status"]["traffic"][0].get("latestRevision"):
        # Traffic that was pinned stays so.
        traffic = before["status"]["traffic"]
    state["runs"] = [one for one in state["runs"] if one is not before]
    state["runs"].append(
        {
            "metadata": {"name": name, "labels": given.get("labels", {})},
            "spec": {"template": {"spec": given.get("spec", {})}},
            "status": {
                "url": f"https://{name}-xyz-uc.a.run.app",
                "latestReadyRevisionName": revision,
                "traffic": traffic,
            },
        }
    )


def _describe_run(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    found = next((one for one in state["runs"] if one["metadata"]["name"] == names[0]), None)
    if found is None:
        raise Refused(f"ERROR: (gcloud.run.services.describe) Cannot find service [{names[0]}]")
    return found["status"]["url"] if flags["--format"] == "value(status.url)" else found


def _route(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    service = _describe_run(names, {"--format": "json"}, state)
    if "--to-latest" in flags:
        name = service["status"]["latestReadyRevisionName"]
        service["status"]["traffic"] = [{"latestRevision": True, "percent": 100, "revisionName": name}]
    else:
        name, _, share = flags["--to-revisions"].partition("=")
        service["status"]["traffic"] = [{"percent": int(share), "revisionName": name}]


def _delete_run(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    state["runs"] = [one for one in state["runs"] if one["metadata"]["name"] != names[0]]
    state["revisions"] = []
    state["policies"].pop(f"run/{names[0]}", None)


def _create_job(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    name = f"projects/{PROJECT}/locations/{flags['--location']}/jobs/{names[0]}"
    _new(state["jobs"], "name", name)
    state["jobs"].append({"name": name, "state": "ENABLED"})
    _update_job(names, flags, state)


def _update_job(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    import base64

    job = _find(state["jobs"], "name", f"projects/{PROJECT}/locations/{flags['--location']}/jobs/{names[0]}")
    job["schedule"], job["timeZone"] = flags["--schedule"], flags["--time-zone"]
    job["description"] = flags["--description"]
    job["pubsubTarget"] = {
        "topicName": flags["--topic"],
        "data": base64.b64encode(flags["--message-body"].encode()).decode(),
    }


def _delete_job(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> None:
    _delete(state["jobs"], "name", f"projects/{PROJECT}/locations/{flags['--location']}/jobs/{names[0]}")


def _describe_job(names: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    return _find(state["jobs"], "name", f"projects/{PROJECT}/locations/{flags['--location']}/jobs/{names[0]}")


def _listing(kind: str) -> Any:
    return lambda names, flags, state: state[kind]


_COMMANDS: dict[str, Any] = {
    "projects describe": _projects_describe,
    "services list": _listing("services"),
    "services enable": _enable,
    "iam service-accounts list": _listing("accounts"),
    "iam service-accounts create": _create_account,
    "iam service-accounts delete": _delete_account,
    "pubsub topics list": _listing("topics"),
    "pubsub topics create": _create_topic,
    "pubsub topics delete": _delete_topic,
    "pubsub subscriptions list": _listing("subscriptions"),
    "pubsub subscriptions create": _create_subscription,
    "pubsub subscriptions update": _update_subscription,
    "pubsub subscriptions delete": _delete_subscription,
    "pubsub subscriptions pull": _pull,
    "firestore databases list": _listing("databases"),
    "firestore databases create": _create_database,
    "secrets list": _listing("secrets"),
    "secrets create": _create_secret,
    "secrets versions list": _versions,
    "functions list": _listing("functions"),
    "functions deploy": _deploy_function,
    "functions delete": _delete_function,
    "functions describe": _describe_function,
    "eventarc triggers describe": _describe_trigger,
    "run services list": _listing("runs"),
    "run services describe": _describe_run,
    "run services update-traffic": _route,
    "run services delete": _delete_run,
    "run revisions list": _listing("revisions"),
    "run deploy": _deploy_run,
    "scheduler jobs list": _listing("jobs"),
    "scheduler jobs create pubsub": _create_job,
    "scheduler jobs update pubsub": _update_job,
    "scheduler jobs delete": _delete_job,
    "scheduler jobs describe": _describe_job,
    "scheduler jobs run": _describe_job,
}


def _policy(plain: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    verb = next(index for index, word in enumerate(plain) if "iam-policy" in word)
    what = f"{plain[verb - 1]}/{plain[verb + 1].rpartition('/')[2]}"
    if plain[0] == "run":
        what = f"run/{plain[verb + 1]}"
    _must_stand(what, state)
    bindings = state["policies"].setdefault(what, [])
    if plain[verb] == "get-iam-policy":
        return {"bindings": bindings, "etag": "abc"}
    account = flags["--member"].removeprefix("serviceAccount:")
    is_of_project = account.endswith(f"@{PROJECT}.iam.gserviceaccount.com") and plain[verb].startswith("add")
    if is_of_project and not any(one["email"] == account for one in state["accounts"]):
        raise Refused(f"ERROR: INVALID_ARGUMENT: Service account {account} does not exist.")
    title = flags.get("--condition", "").rpartition("title=")[2].replace("None", "")
    same = [
        one for one in bindings if one["role"] == flags["--role"] and one.get("condition", {}).get("title", "") == title
    ]
    if plain[verb].startswith("remove"):
        if not same or flags["--member"] not in same[0]["members"]:
            raise Refused("ERROR: Policy binding with the specified principal, role, and condition not found!")
        same[0]["members"].remove(flags["--member"])
        state["policies"][what] = [one for one in bindings if one["members"]]
        return {}
    if not same:
        same = [{"role": flags["--role"], "members": []} | ({"condition": {"title": title}} if title else {})]
        bindings.extend(same)
    same[0]["members"].append(flags["--member"])
    return {"bindings": bindings}


def _must_stand(what: str, state: dict[str, Any]) -> None:
    kind, _, name = what.partition("/")
    if kind == "topics":
        _find(state["topics"], "name", f"projects/{PROJECT}/topics/{name}")
    if kind == "subscriptions":
        _find(state["subscriptions"], "name", f"projects/{PROJECT}/subscriptions/{name}")
    if kind == "secrets":
        _find(state["secrets"], "name", f"projects/{NUMBER}/secrets/{name}")
    if kind == "service-accounts":
        _find(state["accounts"], "email", name)
    if kind == "run":
        _describe_run([name], {"--format": "json"}, state)


def _bq(plain: list[str], flags: dict[str, str], state: dict[str, Any]) -> Any:
    if plain[0] == "ls":
        return state["datasets"] or None
    if plain[0] == "mk":
        project, _, name = plain[1].partition(":")
        state["datasets"].append(
            {
                "datasetReference": {"projectId": project, "datasetId": name},
                "location": flags["--location"],
                "access": [{"role": "OWNER", "specialGroup": "projectOwners"}],
            }
        )
        return f"Dataset '{plain[1]}' successfully created."
    if plain[0] == "get-iam-policy":
        return {"bindings": state["policies"].get(f"tables/{plain[1].replace(':', '.')}", [])}
    if plain[0] == "show":
        return _dataset(plain[1].partition(":")[2], state)
    if plain[0] == "query":
        verb, role, _, kind, place, _, who = plain[1].split()
        if kind == "TABLE":
            return _grant_on_table(verb, role.strip("`"), place.replace("`", ""), who.strip('"'), state)
        dataset = _dataset(place.split("`")[3], state)
        entry = {
            "role": {"`roles/bigquery.dataEditor`": "WRITER"}[role],
            "userByEmail": who.strip('"').removeprefix("serviceAccount:"),
        }
        if verb == "GRANT":
            dataset["access"].append(entry)
        else:
            dataset["access"].remove(entry)
        return "Created"
    raise Refused(f"BigQuery error: unknown command {plain}")


def _grant_on_table(verb: str, role: str, table: str, who: str, state: dict[str, Any]) -> str:
    bindings = state["policies"].setdefault(f"tables/{table}", [])
    if verb == "GRANT":
        bindings.append({"role": role, "members": [who]})
    else:
        bindings.remove({"role": role, "members": [who]})
    return "Created"


def _dataset(name: str, state: dict[str, Any]) -> Any:
    found = [one for one in state["datasets"] if one["datasetReference"]["datasetId"] == name]
    if not found:
        raise Refused(f"BigQuery error in show operation: Not found: Dataset {PROJECT}:{name}")
    return found[0]


def _sources(flags: dict[str, str]) -> None:
    for name in ("main.py", "requirements.txt"):
        if not os.path.isfile(os.path.join(flags["--source"], name)):
            raise Refused(f"ERROR: Provided source directory does not have file [{name}]")


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(",") if pair)


def _find(entries: list[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    found = next((one for one in entries if one[key] == value), None)
    if found is None:
        raise Refused(f"ERROR: NOT_FOUND: Resource not found (resource={value}).")
    return found


def _new(entries: list[dict[str, Any]], key: str, value: str) -> None:
    if any(one[key] == value for one in entries):
        raise Refused(f"ERROR: ALREADY_EXISTS: {value} already exists")


def _delete(entries: list[dict[str, Any]], key: str, value: str) -> None:
    entries.remove(_find(entries, key, value))


def main(folder: str, program: str, words: list[str]) -> int:
    """Run one command."""
    with open(f"{folder}/calls", "a", encoding="utf-8") as calls:
        calls.write(json.dumps([program, *words]) + "\n")
    if _is_to_fail(f"{folder}/faults.json", words):
        return 1
    with open(f"{folder}/state.json", encoding="utf-8") as file:
        state = json.load(file)
    try:
        printed = answer(program, words, state)
    except Refused as error:
        # bq complains on its standard output.
        (sys.stdout if program == "bq" else sys.stderr).write(f"{error}\n")
        return 1
    # Several look at a time; only one ever changes anything.
    if not is_look(words) or "pull" in words:
        with open(f"{folder}/state.json", "w", encoding="utf-8") as file:
            json.dump(state, file)
    if printed is not None and "--format=none" not in words:
        sys.stdout.write(printed if isinstance(printed, str) else json.dumps(printed))
        sys.stdout.write("\n")
    return 0


def _is_to_fail(path: str, words: list[str]) -> bool:
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        held, complaint, times = json.load(file)
    if not times or not all(word in " ".join(words) for word in held.split()):
        return False
    with open(path, "w", encoding="utf-8") as file:
        json.dump([held, complaint, times - 1], file)
    sys.stderr.write(complaint + "\n")
    return True
