"""Starts the real binary as a lab (its contract: README, `martlet lab --help`) and gives it to tests with real clients."""

import collections
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("MARTLET", ROOT / ".build/release/martlet"))
LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
SERVICES = {"smtp": 25, "pop3": 110, "imap": 143, "metrics": 161, "submissions": 465, "submission": 587, "imaps": 993, "pop3s": 995}


# Those of servers that may be about to listen.
_bases_given = collections.deque(maxlen=8)
_bases_lock = threading.Lock()


def free_port_base():
    """A base from which nobody listens on any service's port, on either loopback address; below 32768, where clients' own ports
    begin. Calls that follow each other get no ports in common. It connects and does not bind: a socket that is bound for a moment would
    be inherited by a process that another thread starts in that moment, and a server could then not listen on its port."""
    generator = random.SystemRandom()
    for _ in range(500):
        base = generator.randrange(20_000, 31_700, 10)
        ports = {base + offset for offset in SERVICES.values()}
        with _bases_lock:
            if any(ports & {other + offset for offset in SERVICES.values()} for other in _bases_given):
                continue
            _bases_given.append(base)
        if not any(_is_listened_on(family, host, port) for port in ports for family, host in LOOPBACKS):
            return base
    raise RuntimeError("no free ports")


def _is_listened_on(family, host, port):
    with socket.socket(family) as probe:
        return probe.connect_ex((host, port)) == 0


class Lab:
    """A running `martlet lab`. `stop`, `kill` and `start` again keep its directory and ports."""

    def __init__(self, directory, *options, users=4, wrapper=(), environment=None):
        self.directory = Path(directory)
        self.options = [str(option) for option in options]
        self.users = users
        self.base = free_port_base()
        self.wrapper = list(wrapper)
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.start()

    def start(self):
        command = [*self.wrapper, str(BINARY), "lab", "--dir", str(self.directory), "--port-base", str(self.base), "--users", str(self.users)]
        self.directory.mkdir(parents=True, exist_ok=True)
        self.stderr = open(self.directory.parent / f"{self.directory.name}.stderr", "ab")
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.PIPE, stderr=self.stderr, env=self.environment)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the lab did not start: {Path(self.stderr.name).read_text()[-2000:]}")
        self.ready = json.loads(line)
        assert self.ready["ready"] is True
        self.domain = self.ready["domain"]
        self.password = self.ready["password"]
        self.ca = self.ready["ca"]

    def port(self, service):
        return self.ready["ports"][service]

    def user(self, number):
        return f"user{number:04d}@{self.domain}"

    def tls(self):
        return ssl.create_default_context(cafile=self.ca)

    def stop(self):
        """SIGTERM; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.stderr.close()
        return code

    def kill(self):
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait(timeout=30)
        self.process.stdout.close()
        self.stderr.close()

    def command(self, *words, check=True, stdin=None):
        """Runs `martlet WORDS --dir DIR` and gives the finished process."""
        done = subprocess.run(
            [str(BINARY), *[str(word) for word in words], "--dir", str(self.directory)], capture_output=True, text=True, timeout=60, input=stdin
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture(scope="session")
def binary():
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is not built; run `make test`")
    return BINARY


@pytest.fixture(scope="session")
def preload(tmp_path_factory):
    """Compiles `preload/NAME.c`; gives the library's path, for LD_PRELOAD."""

    def build(name):
        library = tmp_path_factory.getbasetemp() / f"{name}.so"
        if not library.exists():
            source = Path(__file__).parent / "preload" / f"{name}.c"
            run(need("cc"), "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl", "-lpthread")
        return library

    return build


@pytest.fixture
def make_server(binary, tmp_path):
    from serve import Server

    made = []

    def make(base=None, **settings):
        settings = {key.replace("__", ".").replace("_", "-"): value for key, value in settings.items()}
        made.append(Server(tmp_path, settings, base))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture(scope="module")
def lab(binary, tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab") / "state")
    yield lab
    assert lab.stop() == 0


@pytest.fixture
def make_lab(binary, tmp_path):
    labs = []

    def make(*options, name="state", **named):
        labs.append(Lab(tmp_path / name, *options, **named))
        return labs[-1]

    yield make
    for lab in labs:
        if lab.process.poll() is None:
            lab.kill()


def need(program):
    """The path of a program that Tools/setup installs; fails, and says so, when it is not there."""
    path = shutil.which(program) or (f"/usr/sbin/{program}" if os.path.exists(f"/usr/sbin/{program}") else None)
    if path is None:
        pytest.fail(f"{program} is not installed; run `Tools/setup test`")
    return path


def run(*words, stdin=None, timeout=60, check=True, env=None, cwd=None):
    done = subprocess.run([str(word) for word in words], capture_output=True, timeout=timeout, input=stdin, env=env, cwd=cwd)
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    if check:
        assert done.returncode == 0, f"{words[0]} ended with {done.returncode}:\n{output}"
    return output


def wait_until(condition, seconds=10.0, message="condition not met in time"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail(message)
