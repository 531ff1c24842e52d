"""Postfix relays to us: a queue of another server's, over STARTTLS."""

import os
import shutil
import signal
import subprocess
import textwrap

import pytest
from conftest import need, run, wait_until
from test_clients import subjects


@pytest.fixture
def postfix(lab, tmp_path):
    """A Postfix of our own, in directories of its own, that sends everything to the lab."""
    if os.geteuid() != 0:
        pytest.skip("Postfix's master needs root")
    need("postfix")
    config, queue, data = (tmp_path / name for name in ("config", "queue", "data"))
    for directory in (config, queue, data):
        directory.mkdir()
    shutil.copy("/usr/share/postfix/master.cf.dist", config / "master.cf")
    master = (config / "master.cf").read_text()
    # No port of its own, and no chroot: mail comes by its sendmail.
    master = "".join(
        line for line in master.splitlines(keepends=True) if not line.startswith("smtp      inet")
    )
    master = "\n".join(
        " ".join([*line.split()[:4], "n", *line.split()[5:]]) if line and line[0].isalpha() and len(line.split()) >= 8 else line
        for line in master.splitlines()
    )
    (config / "master.cf").write_text(master + "\n")
    (config / "main.cf").write_text(
        textwrap.dedent(
            f"""\
            compatibility_level = 3.6
            queue_directory = {queue}
            data_directory = {data}
            myhostname = relay.far.test
            mydestination =
            inet_interfaces = loopback-only
            relayhost = [127.0.0.1]:{lab.port('smtp')}
            smtp_tls_security_level = encrypt
            smtp_tls_CAfile = {lab.ca}
            maillog_file = /dev/stdout
            maillog_file_prefixes = /dev/stdout
            smtputf8_enable = yes
            """
        )
    )
    shutil.chown(data, "postfix")
    for directory in (tmp_path, *tmp_path.parents):
        if str(directory).startswith("/tmp/"):
            directory.chmod(0o755)
    log = open(tmp_path / "log", "wb")
    process = subprocess.Popen(["postfix", "-c", str(config), "start-fg"], stdout=log, stderr=log)
    try:
        wait_until(lambda: (queue / "pid/master.pid").exists(), 20, "postfix did not start")
        yield config
    finally:
        subprocess.run(["postfix", "-c", str(config), "stop"], capture_output=True, timeout=30)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def test_postfix_relays_to_us(lab, postfix, tmp_path):
    for number in range(5):
        run(
            "sendmail", "-C", postfix, "-f", "b@far.test", lab.user(1), lab.user(2),
            stdin=f"From: b@far.test\nTo: {lab.user(1)}\nSubject: by postfix {number}\n\n.dot\nhello\n".encode(),
        )
    wanted = {f"by postfix {number}" for number in range(5)}

    def arrived():
        try:
            return wanted <= set(subjects(lab, 1)) and wanted <= set(subjects(lab, 2))
        except Exception:
            return False

    wait_until(arrived, 30, (tmp_path / "log").read_text())
    code = lab.command("explain", "b@far.test").stdout.split()[1]
    told = lab.command("explain", code).stdout
    assert "relay.far.test" in told and "TLSv1.3" in told
