"""`martlet quickstart` below a directory of the test: a server is set up, set up again, and run as its unit says."""

import contextlib
import ctypes
import grp
import imaplib
import json
import os
import pwd
import pty
import random
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import BINARY, SERVICES, free_port_base, need

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="privileges can be dropped by root alone")
# A user of every Debian whose rights nobody needs.
USER = "nobody"
ZONE = """$ORIGIN example.test.
@ 300 IN SOA ns hostmaster 1 2 3 4 5
@ 300 IN MX 10 mail
@ 300 IN TXT "v=spf1 mx -all"
_dmarc 300 IN TXT "v=DMARC1; p=none"
mail 300 IN A 192.0.2.1
mail 300 IN TXT "v=spf1 a -all"
1.2.0.192.in-addr.arpa. 300 IN PTR mail.example.test.
"""


class Host:
    """What a quickstart writes on a machine, below one directory."""

    def __init__(self, root, *options, user=None):
        self.root = root
        self.config = root / "etc/martlet/martlet.yaml"
        self.data = root / "var/lib/martlet"
        self.unit = root / "units/martlet.service"
        self.base = free_port_base()
        zone = root / "zone"
        zone.write_text(ZONE)
        self.words = ["example.test", "anna@example.test", "--config", self.config, "--data-dir", self.data, "--unit-dir", self.unit.parent]
        self.words += ["--public-address", "192.0.2.1", "--set", "dns.servers=none", "--set", f"dns.zones={zone}"]
        for service, offset in SERVICES.items():
            self.words += ["--set", f"listeners.{service}=127.0.0.1:{self.base + offset}"]
        self.words += ["--user", user or pwd.getpwuid(os.geteuid()).pw_name, *options]

    def quickstart(self, *options, stdin="", check=True):
        done = subprocess.run([BINARY, "quickstart", *self.words, *options], capture_output=True, text=True, timeout=60, input=stdin)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def report(self, *options, stdin=""):
        return json.loads(self.quickstart("--json", *options, stdin=stdin).stdout)

    def files(self):
        """All that is written, with content."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and not path.name.startswith("store.db") and path.suffix != ".seg" and path.name != "lock":
                found[str(path.relative_to(self.root))] = path.read_bytes()
        return found

    def server(self, prefix=(), environment=None, prepare=None):
        line = next(line for line in self.unit.read_text().splitlines() if line.startswith("ExecStart="))
        words = [*prefix, *shlex.split(line.removeprefix("ExecStart="))]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(environment or {})}, cwd="/", preexec_fn=prepare)

    def command(self, *words):
        done = subprocess.run([BINARY, *words, "--config", self.config], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextlib.contextmanager
def running(host, **options):
    """A server that has said READY=1."""
    path = host.root / "notify"
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        path.chmod(0o666)
        manager.settimeout(30)
        process = host.server(environment={"NOTIFY_SOCKET": str(path)}, **options)
        try:
            try:
                assert manager.recv(100) == b"READY=1"
            except TimeoutError:
                process.kill()
                pytest.fail(process.stderr.read().decode())
            yield process
            process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            assert process.wait(timeout=30) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
            process.stderr.close()


@pytest.fixture
def root(binary):
    """A directory that every user may pass through, which pytest's are not."""
    directory = Path(tempfile.mkdtemp(prefix="martlet-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def host(root):
    return Host(root)


def states(report):
    return {step["name"]: step["state"] for step in report["steps"]}


def login(host, password):
    context = ssl.create_default_context(cafile=host.data / "ca.pem")
    with imaplib.IMAP4_SSL("localhost", host.base + 993, ssl_context=context) as client:
        return client.login("anna@example.test", password)[0]


def test_a_server_is_set_up_runs_and_is_left_alone_by_the_next_run(host):
    first = host.report("--password-stdin", stdin="correct horse battery\n")
    made = {name: "made" for name in ("configuration", "data", "certificate", "domain", "account", "unit")}
    assert states(first) == made and first["changed"] and "password" not in first
    assert {check["name"]: check["state"] for check in first["checks"] if check["name"] != "clock"} == {
        "ports": "fine",
        "resolver": "fine",
        "address": "fine",
        "reverse": "fine",
    }
    assert first["next"] == f"martlet serve --config {host.config}"
    assert all(record["isPublished"] for record in first["records"])
    assert host.data.stat().st_mode & 0o777 == 0o700
    assert subprocess.run([BINARY, "config", "check", host.config], capture_output=True).returncode == 0

    before = host.files()
    second = host.report()
    assert states(second) == {name: "unchanged" for name in made} and not second["changed"] and "password" not in second
    assert host.files() == before
    assert "Nothing was changed:" in host.quickstart().stdout

    with running(host):
        assert login(host, "correct horse battery") == "OK"
        third = host.report()
        assert not third["changed"] and third["next"].startswith("send a message to anna@example.test")
        assert any("server that runs here" in check["told"] for check in third["checks"])


def test_a_generated_password_is_shown_once_and_works(host):
    text = host.quickstart().stdout
    password = re.search(r"told this once: (\S+)", text).group(1)
    assert "In the DNS:" in text and "example.test. MX 10 mail.example.test." in text and "DKIM" not in text
    assert text.rstrip().splitlines()[-1] == f"Next: martlet serve --config {host.config}"
    assert password not in host.quickstart().stdout
    assert not any(password.encode() in content for content in host.files().values())
    with running(host):
        assert login(host, password) == "OK"


def test_a_dry_run_writes_nothing(host):
    before = host.files()
    report = host.report("--dry-run")
    assert set(states(report).values()) == {"wouldMake"} and not report["changed"] and report["next"] == "run it without --dry-run"
    assert host.files() == before and not host.data.exists() and not host.unit.parent.exists()


def test_a_changed_file_stays_and_the_difference_is_told(host):
    host.quickstart()
    host.config.write_text(host.config.read_text().replace('  # level: info\n', "  level: debug\n") + "# mine\n")
    host.unit.write_text(host.unit.read_text().replace("RestartSec=5s", "RestartSec=9s"))
    before = host.files()
    report = host.report()
    assert host.files() == before
    steps = {step["name"]: step for step in report["steps"]}
    assert steps["configuration"]["state"] == steps["unit"]["state"] == "differs" and not report["changed"]
    assert steps["configuration"]["differences"] == ["log.level: debug in the file, info asked for"]
    assert sorted(steps["unit"]["differences"]) == ["+ RestartSec=5s", "- RestartSec=9s"]


def test_a_run_killed_at_any_moment_is_simply_run_again(host):
    generator = random.Random(20261125)
    for _ in range(12):
        process = subprocess.Popen([BINARY, "quickstart", *host.words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=generator.uniform(0.005, 0.5))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for path in (host.config, host.unit):
            # Whole or not there.
            assert not path.exists() or path.read_text().endswith("\n")
    host.quickstart()
    assert set(states(host.report()).values()) == {"unchanged"}
    assert "anna@example.test" in host.command("account", "list")
    host.command("verify")


def test_what_holds_a_port_is_named_and_comes_next(host):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", host.base + 25))
        other.listen()
        report = host.report()
        held = [check for check in report["checks"] if check["name"] == "ports" and check["state"] == "warning"]
        assert len(held) == 1 and f"(pid {os.getpid()})" in held[0]["told"] and held[0]["remedy"]
        assert held[0]["told"] in report["next"] and report["changed"]


def test_mistakes_are_told_at_once_and_change_nothing(host):
    before = host.files()
    done = host.quickstart("--set", "smtp.max-eror=5", check=False)
    assert done.returncode == 2 and "smtp.max-errors" in done.stderr
    done = host.quickstart("--hostname", "a b", "--certificate", "/nowhere.pem", check=False)
    assert done.returncode == 2 and "a b" in done.stderr and "--key" in done.stderr
    done = subprocess.run([BINARY, "quickstart"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "martlet quickstart example.org" in done.stderr
    assert host.files() == before


def test_a_certificate_of_ones_own_is_looked_at_before_it_is_used(host):
    bad = host.root / "bad.pem"
    bad.write_text("no certificate\n")
    done = host.quickstart("--certificate", bad, "--key", bad, check=False)
    assert done.returncode == 2 and str(bad) in done.stderr


def test_a_person_is_asked_for_what_is_not_given(host):
    main, terminal = pty.openpty()
    words = [BINARY, "quickstart", *host.words[2:]]
    process = subprocess.Popen(words, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    seen = b""

    def answer(question, text):
        nonlocal seen
        while question not in seen:
            seen += os.read(main, 4096)
        seen = seen.split(question, 1)[1]
        os.write(main, text + b"\n")

    answer(b"mail comes here", b"example.test")
    answer(b"first account's address", b"anna@example.test")
    answer(b"name in the DNS", b"")
    answer(b"Password for anna@example.test", b"a password by hand")
    answer(b"The same again", b"a password by hand")
    output = process.stdout.read().decode()
    process.stdout.close()
    assert process.wait(timeout=30) == 0 and "told this once" not in output
    os.close(main)
    assert "hostname: mail.example.test" in host.config.read_text()
    with running(host):
        assert login(host, "a password by hand") == "OK"


def test_the_unit_is_what_systemd_takes_and_is_tight(root):
    analyze = need("systemd-analyze")
    host = Host(root, user="daemon" if os.geteuid() == 0 else None)
    host.quickstart()
    done = subprocess.run([analyze, "verify", "--man=no", host.unit], capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "martlet.service" in line]
    assert done.returncode == 0 and told == [], done.stderr
    # Ten times what systemd calls exposure: at most 2.0 of 10.
    done = subprocess.run([analyze, "security", "--offline=true", "--threshold=20", host.unit], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def deny_write_execute():
    """MemoryDenyWriteExecute, as far as this kernel has it (PR_SET_MDWE, Linux 6.3)."""
    ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)


def identity(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    fields = {line.split(":")[0]: line.split()[1:] for line in status.splitlines() if ":" in line}
    return {name: fields[name] for name in ("Uid", "Gid", "Groups", "CapEff", "CapPrm")}


def owners(directory):
    return {path.lstat().st_uid for path in [directory, *directory.rglob("*")]}


@ROOT_ONLY
def test_root_binds_low_ports_and_then_is_nobody_for_good(root):
    low = 600 + os.getpid() % 300
    proofs = ("--set", f"listeners.acme=127.0.0.1:{low + 1}", "--set", "acme.directory=https://127.0.0.1:9/directory")
    host = Host(root, "--set", f"listeners.smtp=127.0.0.1:{low}", *proofs, user=USER)
    user = pwd.getpwnam(USER)
    host.quickstart("--password-stdin", stdin="correct horse battery\n")
    assert f"user: {USER}\n" in host.config.read_text() and f"User={USER}\n" in host.unit.read_text()
    assert owners(host.data) == {user.pw_uid}
    with running(host) as process:
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            told = identity(f"{process.pid}/task/{task.name}")
            assert set(told["Uid"]) == {str(user.pw_uid)} and set(told["Gid"]) == {str(user.pw_gid)}
            assert set(told["CapEff"] + told["CapPrm"]) == {"0" * 16}
            assert str(grp.getgrnam("root").gr_gid) not in told["Groups"]
        with socket.create_connection(("127.0.0.1", low), timeout=10) as client:
            assert client.recv(100).startswith(b"220 mail.example.test")
        with socket.create_connection(("127.0.0.1", low + 1), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: mail.example.test\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 404 ")
        assert login(host, "correct horse battery") == "OK"
    assert owners(host.data) == {user.pw_uid}
    # Commands of root's work in the directory too, and leave it the server's.
    host.command("account", "add", "ben@example.test")
    assert owners(host.data) == {user.pw_uid}
    with running(host):
        assert "ben@example.test" in host.command("account", "list")


@ROOT_ONLY
def test_the_unit_of_a_user_binds_low_ports_by_its_one_capability(root):
    low = 600 + os.getpid() % 300
    host = Host(root, "--set", f"listeners.smtp=127.0.0.1:{low}", user=USER)
    host.quickstart("--password-stdin", stdin="correct horse battery\n")
    user = pwd.getpwnam(USER)
    # As systemd starts it: User, AmbientCapabilities, CapabilityBoundingSet, NoNewPrivileges, MemoryDenyWriteExecute.
    prefix = [need("setpriv"), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs"]
    prefix += ["--bounding-set=-all,+net_bind_service", "--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service"]
    with running(host, prefix=prefix, prepare=deny_write_execute):
        with socket.create_connection(("127.0.0.1", low), timeout=10) as client:
            assert client.recv(100).startswith(b"220 mail.example.test")
        assert login(host, "correct horse battery") == "OK"


@ROOT_ONLY
def test_root_refuses_a_data_directory_of_somebody_elses(root):
    host = Host(root, user=USER)
    host.quickstart()
    os.chown(host.data, pwd.getpwnam("daemon").pw_uid, -1)
    process = host.server()
    _, told = process.communicate(timeout=30)
    assert process.returncode == 2 and f"chown -R {USER}" in told.decode() and "daemon" in told.decode()


@ROOT_ONLY
def test_root_follows_no_link_that_the_servers_user_laid(root):
    host = Host(root, user=USER)
    host.quickstart()
    victim = root / "victim"
    victim.mkdir()
    (victim / "file").write_text("root's\n")
    (host.data / "link").symlink_to(victim)
    (host.data / "store/name").symlink_to(victim / "file")
    os.link(victim / "file", host.data / "hard")
    host.command("account", "list")
    assert owners(victim) == {0}


@ROOT_ONLY
def test_running_as_root_is_warned_of_and_an_unknown_user_refused(root):
    host = Host(root, user="root")
    host.quickstart()
    with running(host) as process:
        assert b"runs as root" in process.stderr.readline()
    process = subprocess.run(
        [BINARY, "serve", "--config", host.config, "--set", "server.user=no-such-user"], capture_output=True, text=True, timeout=30
    )
    assert process.returncode == 2 and "no-such-user" in process.stderr and "useradd" in process.stderr
