"""What is seen of a running server: metrics, health, alarms, `martlet status`, and the journal."""

import json
import os
import re
import smtplib
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from conftest import BINARY, free_port_base, need, run, wait_until
from receiver import Receiver


def get(lab, path, host="127.0.0.1"):
    """Status, type and body."""
    try:
        with urllib.request.urlopen(f"http://{host}:{lab.port('metrics')}{path}", timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def samples(lab):
    """The page as a dictionary: `name{label="value"}` gives the number."""
    status, _, page = get(lab, "/metrics")
    assert status == 200
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if not line.startswith("#")}


def ready(lab):
    status, _, body = get(lab, "/health/ready")
    report = json.loads(body)
    assert (status == 200) == report["ready"]
    return report


def alarms(lab):
    return {alarm["name"]: alarm for alarm in ready(lab)["alarms"]}


def log(lab):
    return (lab.directory / "log").read_text()


def deliver(lab, recipient=None, count=1, text="Subject: hello\r\n\r\nhello\r\n"):
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        for _ in range(count):
            client.sendmail("a@elsewhere.test", [recipient or lab.user(1)], text)


def submit(lab, recipient):
    with smtplib.SMTP("127.0.0.1", lab.port("submission")) as client:
        client.starttls(context=lab.tls())
        client.login(lab.user(1), lab.password)
        client.sendmail(lab.user(1), [recipient], f"From: {lab.user(1)}\r\nSubject: out\r\n\r\nhello\r\n")


def test_the_page_is_what_prometheus_reads(lab):
    deliver(lab, count=3)
    status, kind, page = get(lab, "/metrics")
    assert status == 200 and kind == "text/plain; version=0.0.4; charset=utf-8"
    done = subprocess.run([need("promtool"), "check", "metrics"], input=page.encode(), capture_output=True, timeout=60)
    # promtool does not like a gauge whose name has another's in it; whatever it says is a finding.
    assert done.returncode == 0 and not done.stdout + done.stderr, (done.stdout + done.stderr).decode()
    # No address of anybody.
    assert "@" not in page and "127.0.0.1" not in page
    # Values of labels have one style, and so do names.
    labels = [pair for line in page.splitlines() if not line.startswith("#") for pair in re.findall(r'(\w+)="([^"]*)"', line)]
    assert len({name for name, _ in labels}) > 5
    odd = [(name, value) for name, value in labels if name not in ("le", "version") and not re.fullmatch(r"[a-z][a-z0-9_]*", value)]
    assert not odd


def test_what_happens_is_counted(make_lab):
    other = Receiver({"rcpt": lambda line: "550 5.1.1 no such user" if "nobody" in line else None})
    lab = make_lab("--route", f"other.test=127.0.0.1:{other.port}", "--set", "smtp.max-connections-per-address=1")
    before = samples(lab)
    assert before['martlet_connections_total{service="smtp"}'] == 0 and before["martlet_ready"] == 1
    assert 0 < before["process_resident_memory_bytes"] < 1e9 and before["process_open_fds"] > 5
    assert time.time() - 120 < before["process_start_time_seconds"] < time.time() + 5
    assert before["martlet_certificate_expiry_seconds"] > 86_400
    assert 0 < before["martlet_disk_free_bytes"] <= before["martlet_disk_size_bytes"]
    deliver(lab, count=3)
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        assert samples(lab)['martlet_connections_open{service="smtp"}'] == 1
        with socket.create_connection(("127.0.0.1", lab.port("smtp"))) as second:
            assert second.recv(1000).startswith(b"421")
        client.mail("a@elsewhere.test")
        assert client.rcpt(f"nobody@{lab.domain}")[0] == 550
    with smtplib.SMTP("127.0.0.1", lab.port("submission")) as client:
        client.starttls(context=lab.tls())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(lab.user(1), "wrong")
    submit(lab, "bob@other.test")
    other.wait(1)
    submit(lab, "nobody@other.test")
    wait_until(lambda: samples(lab)['martlet_relay_recipients_total{outcome="bounced"}'] == 1, 20)
    wait_until(lambda: samples(lab)['martlet_ledger_recipients_total{entry="bounced"}'] == 1, 20)
    after = samples(lab)
    expected = {
        'martlet_connections_total{service="smtp"}': 2,
        'martlet_connections_open{service="smtp"}': 0,
        'martlet_connections_refused_total{service="smtp",reason="too_many_from_address"}': 1,
        'martlet_messages_received_total{service="smtp",outcome="accepted"}': 3,
        'martlet_messages_received_total{service="submission",outcome="accepted"}': 2,
        'martlet_envelopes_refused_total{service="smtp",outcome="refused"}': 1,
        'martlet_logins_total{result="ok"}': 2,
        # smtplib tries PLAIN and then LOGIN.
        'martlet_logins_total{result="wrong_credentials"}': 2,
        'martlet_relay_recipients_total{outcome="relayed"}': 1,
        "martlet_delivery_attempt_duration_seconds_count": 2,
        "martlet_queue_messages": 0,
        "martlet_queue_oldest_age_seconds": 0,
        "martlet_ledger_drift_recipients": 0,
        'martlet_ledger_recipients_total{entry="relayed"}': 1,
        "martlet_store_commits_failed_total": 0,
    }
    assert {name: after[name] for name in expected} == expected
    assert after['martlet_received_bytes_total{service="smtp"}'] > 200
    assert after['martlet_sent_bytes_total{service="smtp"}'] > 200
    assert after["martlet_store_commit_duration_seconds_count"] > before["martlet_store_commit_duration_seconds_count"]
    assert after['martlet_store_bytes{kind="messages"}'] > 500 and after['martlet_store_bytes{kind="rows"}'] > 4096
    # A counter never goes back, and its histogram's buckets ascend.
    buckets = [value for name, value in after.items() if name.startswith("martlet_store_commit_duration_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == after["martlet_store_commit_duration_seconds_count"]
    other.close()


def test_live_and_ready_and_nothing_else(lab):
    assert get(lab, "/health/live") == (200, "application/json", '{"live":true}\n')
    assert ready(lab) == {"alarms": [], "phase": "running", "ready": True, "reasons": []}
    assert get(lab, "/etc/passwd")[0] == 404 and get(lab, "/metrics/x")[0] == 404
    with socket.create_connection(("127.0.0.1", lab.port("metrics"))) as raw:
        raw.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert re.match(rb"HTTP/1.1 40[45] ", raw.recv(100))
    with socket.create_connection(("127.0.0.1", lab.port("metrics"))) as raw:
        raw.settimeout(10)
        raw.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")
        try:
            assert not raw.recv(100).startswith(b"HTTP/1.1 2")
        except ConnectionError:
            pass
    assert get(lab, "/health/live")[0] == 200


def test_it_is_ready_only_as_long_as_it_runs(make_lab):
    lab = make_lab("--set", "server.shutdown-patience=4s")
    assert ready(lab)["ready"]
    deliver(lab, text="Subject: large\r\n\r\n" + ("x" * 70 + "\r\n") * 200_000)
    # A client that asks for much and takes nothing keeps the server for as long as its patience lasts.
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        held.connect(("127.0.0.1", lab.port("imap")))
        for line in (f"a LOGIN {lab.user(1)} {lab.password}", "b SELECT INBOX", "c FETCH 1 BODY[]"):
            held.sendall(line.encode() + b"\r\n")
            held.recv(100)
        thread = threading.Thread(target=lab.stop)
        thread.start()
        wait_until(lambda: json.loads(get(lab, "/health/ready")[2])["phase"] == "stopping", 5)
        status, _, body = get(lab, "/health/ready")
        assert (status, json.loads(body)["reasons"]) == (503, ["The server is shutting down."])
        assert samples(lab)["martlet_ready"] == 0
        assert get(lab, "/health/live")[0] == 200
        thread.join(30)
    assert not thread.is_alive()
    with pytest.raises(OSError):
        get(lab, "/health/live")


def test_a_message_that_waits_too_long_is_an_alarm_that_begins_and_ends_once(make_lab):
    replies = {"rcpt": "451 4.7.1 later"}
    other = Receiver({"rcpt": lambda _: replies.get("rcpt")})
    lab = make_lab(
        "--route", f"other.test=127.0.0.1:{other.port}", "--set", "queue.first-retry=1s", "--set", "queue.longest-retry=1s",
        "--set", "alarms.queue-age=2s",
    )
    submit(lab, "bob@other.test")
    wait_until(lambda: "queue-age" in alarms(lab), 30)
    report = ready(lab)
    assert report["ready"] and "longer than 2 seconds" in report["alarms"][0]["text"]
    page = samples(lab)
    assert page['martlet_alarm{name="queue_age"}'] == 1 and page["martlet_ready"] == 1
    assert page['martlet_alarm{name="ledger_drift"}'] == 0
    assert page["martlet_queue_messages"] == 1 and page["martlet_queue_oldest_age_seconds"] >= 2
    assert sum(page[f'martlet_queue_recipients{{state="{state}"}}'] for state in ("waiting", "leased", "held")) == 1
    status = lab.command("status")
    assert "ALARM queue-age: A message has waited" in status.stdout and "martlet queue list" in status.stdout
    told = json.loads(lab.command("status", "--json").stdout)["status"]
    assert told["isReady"] is True and [alarm["name"] for alarm in told["alarms"]] == ["queue-age"]
    replies.clear()
    other.wait(1)
    wait_until(lambda: "queue-age" not in alarms(lab), 30)
    assert "alarms: none" in lab.command("status").stdout
    lines = [line for line in log(lab).splitlines() if " alarms: " in line]
    assert len(lines) == 2, lines
    assert "warning alarms: alarm name=queue-age" in lines[0] and "alarm ended" in lines[1]
    other.close()


def test_a_certificate_near_its_end_is_an_alarm_and_a_new_one_ends_it(make_lab, tmp_path):
    def certificate(days):
        run(
            need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days,
            "-subj", "/CN=localhost", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem",
        )

    certificate(3)
    lab = make_lab("--set", f"tls.certificate={tmp_path}/cert.pem", "--set", f"tls.key={tmp_path}/key.pem")
    found = alarms(lab)
    assert list(found) == ["certificate-expiry"] and "less than 14 days" in found["certificate-expiry"]["text"]
    assert f"{tmp_path}/cert.pem" in found["certificate-expiry"]["text"] and f"in the place of {tmp_path}/cert.pem" in found["certificate-expiry"]["remedy"]
    status = lab.command("status").stdout
    assert f"({tmp_path}/cert.pem)" in status or f"in {tmp_path}/cert.pem" in status
    assert "and send SIGHUP" in status
    assert ready(lab)["ready"] is True
    assert 2 * 86_400 < samples(lab)["martlet_certificate_expiry_seconds"] <= 3 * 86_400
    certificate(400)
    lab.process.send_signal(1)
    wait_until(lambda: not alarms(lab), 20)
    assert samples(lab)["martlet_certificate_expiry_seconds"] > 300 * 86_400


def test_an_expired_certificate_is_told_of_and_mail_goes_on(make_lab, tmp_path):
    clock = tmp_path / "clock"
    clock.write_text("0")
    run(
        need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 20,
        "-subj", "/CN=localhost", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem",
    )
    lab = make_lab("--clock", clock, "--set", f"tls.certificate={tmp_path}/cert.pem", "--set", f"tls.key={tmp_path}/key.pem")
    assert not alarms(lab)
    clock.write_text(str(21 * 86_400))
    wait_until(lambda: "certificate-expiry" in alarms(lab), 20)
    report = ready(lab)
    assert report["ready"] and "expired" in report["alarms"][0]["text"]
    assert samples(lab)["martlet_certificate_expiry_seconds"] < 0
    deliver(lab)


def test_too_little_room_is_an_alarm_and_none_at_all_is_not_ready(make_lab):
    lab = make_lab("--set", f"alarms.disk-free={10 ** 15}")
    assert list(alarms(lab)) == ["disk-space"] and ready(lab)["ready"]
    assert "make room" in lab.command("status").stdout
    lab.stop()
    lab.options = ["--set", "alarms.disk-free=0", "--set", "alarms.disk-free-percent=0", "--set", "store.free-space-reserve=1000000000000"]
    lab.start()
    page = samples(lab)
    if page["martlet_disk_free_bytes"] > 1_000_000_000_000:
        pytest.skip("the disk has more room than store.free-space-reserve may leave alone")
    report = ready(lab)
    assert not report["ready"] and "store.free-space-reserve" in report["reasons"][0]
    assert page["martlet_ready"] == 0 and page['martlet_alarm{name="store_unwritable"}'] == 1
    with pytest.raises(smtplib.SMTPDataError, match="452|4.3.1"):
        deliver(lab)
    assert samples(lab)['martlet_messages_received_total{service="smtp",outcome="deferred"}'] == 1
    assert "not ready" in lab.command("status").stdout


@pytest.mark.parametrize("faults", [["sync -wal EIO before", "write -wal ENOSPC before"], ["sync .seg EIO before"], ["write .seg ENOSPC half"]])
def test_a_disk_that_does_not_write_is_not_ready_until_it_does(make_lab, preload, tmp_path, faults):
    control = tmp_path / "control"

    def fault(*lines):
        new = tmp_path / "control.new"
        new.write_text("".join(f"{line}\n" for line in lines))
        new.rename(control)

    fault()
    lab = make_lab("--open", environment={"LD_PRELOAD": str(preload("fault")), "FAULT_CONTROL": str(control)})
    assert ready(lab)["ready"]
    fault(*faults)
    with pytest.raises(smtplib.SMTPException):
        deliver(lab)
    wait_until(lambda: not ready(lab)["ready"], 30)
    report = ready(lab)
    assert [alarm["name"] for alarm in report["alarms"] if alarm["stopsMail"]] == ["store-unwritable"]
    assert samples(lab)["martlet_store_commits_failed_total"] >= 1
    fault()
    deliver(lab)
    wait_until(lambda: ready(lab)["ready"], 30)
    told = [line for line in log(lab).splitlines() if " alarms: " in line]
    assert len(told) == 2 and "name=store-unwritable" in told[0] and "alarm ended" in told[1]


def test_a_disk_that_hangs_holds_up_neither_metrics_nor_readiness_nor_status(make_lab, preload, tmp_path):
    control = tmp_path / "control"

    def fault(*lines):
        new = tmp_path / "control.new"
        new.write_text("".join(f"{line}\n" for line in lines))
        new.rename(control)

    fault()
    lab = make_lab("--open", environment={"LD_PRELOAD": str(preload("fault")), "FAULT_CONTROL": str(control)})
    assert ready(lab)["ready"] and "martlet_disk_free_bytes" in samples(lab)
    fault("sync -wal EIO hang", "look store EIO hang")
    try:
        # The first one to ask waits for as long as a commit may take.
        wait_until(lambda: not ready(lab)["ready"], 60)
        report = ready(lab)
        assert "a commit takes longer than 10 seconds" in report["reasons"][0]
        page = samples(lab)
        assert page["martlet_ready"] == 0 and page["martlet_queue_messages"] == 0 and "martlet_disk_free_bytes" not in page
        # Nobody waits for it again, also when what was found has become old.
        begin = time.monotonic()
        while time.monotonic() - begin < 7:
            asked = time.monotonic()
            assert "martlet_ready" in samples(lab)
            assert "not ready" in lab.command("status").stdout
            assert time.monotonic() - asked < 5
            time.sleep(0.5)
    finally:
        fault()
    wait_until(lambda: ready(lab)["ready"], 30)
    wait_until(lambda: "martlet_disk_free_bytes" in samples(lab), 30)
    deliver(lab)


def test_a_ledger_that_does_not_hold_is_an_alarm(make_lab):
    lab = make_lab()
    deliver(lab)
    assert not alarms(lab)
    lab.stop()
    with sqlite3.connect(lab.directory / "store/store.db") as rows:
        rows.execute("UPDATE ledger SET count = count + 2 WHERE entry = 'accepted'")
    lab.start()
    found = alarms(lab)
    assert list(found) == ["ledger-drift"] and "off by 2" in found["ledger-drift"]["text"]
    assert ready(lab)["ready"] and samples(lab)["martlet_ledger_drift_recipients"] == 2
    assert "warning alarms: alarm name=ledger-drift" in log(lab)


def test_alarms_are_in_the_log_when_nobody_asks(make_lab):
    lab = make_lab("--set", f"alarms.disk-free={10 ** 15}", "--set", "listeners.metrics=none")
    assert "metrics" not in lab.ready["ports"]
    wait_until(lambda: "alarm name=disk-space" in log(lab), 20)


def test_metrics_on_a_socket_and_a_port_in_use(make_lab, tmp_path):
    path = tmp_path / "metrics.sock"
    lab = make_lab("--set", f"listeners.metrics={path}")
    answer = run(need("curl"), "-sS", "--unix-socket", path, "http://localhost/health/live")
    assert answer == '{"live":true}\n'
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RuntimeError, match=f"listeners.metrics: cannot listen on {place}: the address is in use"):
            make_lab("--set", f"listeners.metrics={place}", name="other")
    assert lab.stop() == 0


# The journal


class Journal:
    """A socket that takes entries as systemd-journald does, and reads them as its Native Protocol says."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0.2)
        self.entries = []

    @staticmethod
    def parse(data):
        fields = {}
        while data:
            end = data.index(b"\n")
            line = data[:end]
            if b"=" in line:
                name, _, value = line.partition(b"=")
                data = data[end + 1 :]
            else:
                name = line
                size = int.from_bytes(data[end + 1 : end + 9], "little")
                value = data[end + 9 : end + 9 + size]
                assert data[end + 9 + size : end + 10 + size] == b"\n"
                data = data[end + 10 + size :]
            assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name), name
            fields[name.decode()] = value.decode()
        return fields

    def read(self):
        while True:
            try:
                self.entries.append(self.parse(self.socket.recv(1 << 20)))
            except TimeoutError:
                return self.entries

    def find(self, message):
        def look():
            return [entry for entry in self.read() if message in entry["MESSAGE"]]

        return wait_until(look, 20, f"no entry with {message!r}")[0]


def test_the_journal_gets_fields(make_lab, tmp_path):
    journal = Journal(tmp_path / "journal")
    lab = make_lab("--set", "log.format=journald", environment={"MARTLET_JOURNAL_SOCKET": str(journal.path)})
    deliver(lab)
    with smtplib.SMTP("127.0.0.1", lab.port("submission")) as client:
        client.starttls(context=lab.tls())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(lab.user(2), "hunter2hunter2")
        client.login(lab.user(1), lab.password)
    accepted = journal.find("smtp: accepted")
    assert accepted["PRIORITY"] == "6" and accepted["SYSLOG_IDENTIFIER"] == "martlet" and accepted["MARTLET_LOGGER"] == "smtp"
    assert re.fullmatch(r"[0-9A-Z]{13}", accepted["MARTLET_CODE"]) and accepted["MARTLET_PEER"] == "127.0.0.1"
    assert f"code={accepted['MARTLET_CODE']}" in accepted["MESSAGE"]
    assert journal.find("server: ready")["PRIORITY"] == "5"
    lab.stop()
    everything = json.dumps(journal.read()) + log(lab)
    assert lab.password + '"' not in everything and "hunter2" not in everything
    # The file has the same as lines, and standard error has nothing of it.
    assert f"code={accepted['MARTLET_CODE']}" in log(lab)
    assert "accepted" not in (lab.directory.parent / f"{lab.directory.name}.stderr").read_text()


def test_a_journal_that_goes_away_leaves_standard_error(make_lab, tmp_path):
    journal = Journal(tmp_path / "journal")
    lab = make_lab("--set", "log.format=journald", environment={"MARTLET_JOURNAL_SOCKET": str(journal.path)})
    journal.find("server: ready")
    journal.socket.close()
    deliver(lab)
    stderr = lab.directory.parent / f"{lab.directory.name}.stderr"
    wait_until(lambda: "smtp: accepted" in stderr.read_text(), 20)
    lab.stop()
    lab.options[-1:] = ["log.format=journald"]
    lab.environment["MARTLET_JOURNAL_SOCKET"] = str(tmp_path / "nobody")
    lab.start()
    wait_until(lambda: "the journal cannot be reached" in stderr.read_text(), 20)


def test_the_journal_is_found_by_itself(make_lab, tmp_path):
    # JOURNAL_STREAM names the device and inode of standard error: known only when the lab's file is there.
    journal = Journal(tmp_path / "journal")
    stderr = tmp_path / "state.stderr"
    stderr.touch()
    status = stderr.stat()
    environment = {"MARTLET_JOURNAL_SOCKET": str(journal.path), "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    make_lab(environment=environment).stop()
    assert journal.find("server: ready") and stderr.read_text() == ""
    # Standard error leads elsewhere: what systemd told an outer process is not for us.
    journal.entries = []
    environment["JOURNAL_STREAM"] = f"{status.st_dev}:1"
    make_lab(environment=environment, name="other").stop()
    assert not journal.read() and "server: ready" in (tmp_path / "other.stderr").read_text()


def test_json_lines_are_objects(make_lab):
    lab = make_lab("--set", "log.format=json")
    deliver(lab)
    lab.stop()
    stderr = lab.directory.parent / f"{lab.directory.name}.stderr"
    objects = [json.loads(line) for line in stderr.read_text().splitlines() if line.startswith("{")]
    assert any(entry["logger"] == "smtp" and entry["message"] == "accepted" and "code" in entry for entry in objects)


def test_the_real_journal_finds_a_message_by_its_code(binary, tmp_path):
    """systemd-journald itself, in a mount namespace with a /run of its own."""
    journald = "/lib/systemd/systemd-journald"
    if os.geteuid() != 0 or not os.path.exists(journald):
        pytest.skip("needs root and systemd")
    base = free_port_base()
    script = f"""
        set -eu
        mount -t tmpfs tmpfs /run
        mkdir -p /run/systemd/journal /run/log/journal
        lab=
        {journald} & journald=$!
        trap 'kill $journald $lab' EXIT
        for i in $(seq 100); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
        "{BINARY}" lab --dir {tmp_path}/state --port-base {base} --set log.format=journald > {tmp_path}/ready & lab=$!
        for i in $(seq 100); do [ -s {tmp_path}/ready ] && break; sleep 0.1; done
        printf 'Subject: hello\\r\\n\\r\\nworld\\r\\n' | curl -sS smtp://127.0.0.1:{base + 25} --mail-from a@b.test --mail-rcpt user0001@example.test -T -
        kill $lab; wait $lab || true
        code=$(grep -o 'code=[0-9A-Z]*' {tmp_path}/state/log | head -1 | cut -d= -f2)
        journalctl --sync
        journalctl --no-pager -o json MARTLET_CODE=$code
        lab=
    """
    done = subprocess.run([need("unshare"), "-m", "bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert entry["MARTLET_LOGGER"] == "smtp" and entry["PRIORITY"] == "6" and entry["MESSAGE"].startswith("smtp: accepted code=")
