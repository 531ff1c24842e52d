"""`martlet doctor route`: what it finds out about other servers of every temper, and that it sends nothing."""

import json
import ssl
import subprocess

import pytest

from conftest import BINARY, need, run
from receiver import Receiver

FAST = ["--set", "outbound.reply-timeout=2s", "--set", "outbound.connect-timeout=2s"]


@pytest.fixture
def receiver():
    made = []

    def make(*arguments, **named):
        made.append(Receiver(*arguments, **named))
        return made[-1]

    yield make
    for one in made:
        one.close()


def route(receiver, domain="other.test"):
    return ["--route", f"{domain}=127.0.0.1:{receiver.port}"]


def doctor(lab, subject):
    """Exit code and text; the JSON has to say the same."""
    text = lab.command("doctor", "route", subject, check=False)
    report = lab.command("doctor", "route", subject, "--json", check=False)
    assert text.returncode == report.returncode, text.stderr + report.stderr
    return text.returncode, text.stdout, json.loads(report.stdout)


def context(tmp_path, days=1):
    run(
        need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out", tmp_path / "cert", "-days", days,
        "-subj", "/CN=wrong.test",
    )
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    return made


def only_probe(report):
    (host,) = report["hosts"]
    (address,) = host["addresses"]
    return address["probe"]


def test_a_server_that_takes_the_recipient(make_lab, receiver, tmp_path):
    other = receiver(tls=context(tmp_path))
    lab = make_lab(*route(other))
    code, text, report = doctor(lab, "bob@other.test")
    assert code == 0 and report["verdict"] == "accepted"
    for part in (
        f"port {other.port} answered after ", ": 220 receiver.test ESMTP", "TLS: TLSv1.3, TLS_", "the certificate is self-signed; mail is encrypted all the same",
        "offers: PIPELINING, SIZE 50000000, 8BITMIME, SMTPUTF8, DSN", "takes the recipient: 250 2.1.5 ok", "Mail for bob@other.test can be delivered.",
        "hands it over encrypted",
    ):
        assert part in text, text
    probe = only_probe(report)
    assert probe["recipientCode"] == 250 and probe["tls"]["state"] == "established" and probe["tls"]["certificate"] == "invalid"
    assert "encrypted" in report["plan"] and probe["milliseconds"] >= 0
    # Nothing was sent.
    assert not other.messages
    verbs = [line.split(" ")[0] for line in other.commands]
    assert verbs[: len(verbs) // 2] == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "RSET", "QUIT"]
    assert "MAIL FROM:<>" in other.commands and "RCPT TO:<bob@other.test>" in other.commands
    assert json.loads(lab.command("ledger", "--json").stdout)["counted"]["accepted"] == 0


@pytest.mark.parametrize(
    "reply, verdict, plan",
    [
        ("550 5.1.1 no such user", "refused", "sends the sender a notice"),
        ("451 4.7.1 greylisted", "deferred", "tries again after 5m"),
        ("550-5.7.1 two\r\n550 5.7.1 lines", "refused", "sends the sender a notice"),
    ],
)
def test_a_recipient_that_is_not_taken(make_lab, receiver, reply, verdict, plan):
    other = receiver({"rcpt": reply})
    lab = make_lab(*route(other))
    code, text, report = doctor(lab, "bob@other.test")
    assert code == 1 and report["verdict"] == verdict and plan in report["plan"] and report["plan"] in text
    assert f"does not take the recipient: {reply[:3]} " in text and "Next step: " in text
    assert "TLS: not offered; mail goes in clear" in text
    assert other.commands[-2:] == ["RSET", "QUIT"]


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "rset"])
@pytest.mark.parametrize("fault", ["drop", "silent", "421 4.3.2 going down", "garbage"])
def test_a_server_that_fails_at_any_stage_is_told_of(make_lab, receiver, stage, fault):
    other = receiver({stage: fault})
    lab = make_lab(*route(other), *FAST)
    done = lab.command("doctor", "route", "bob@other.test", "--json", check=False)
    report = json.loads(done.stdout)
    probe = only_probe(report)
    assert not other.messages
    if stage == "rset":
        assert done.returncode == 0 and report["verdict"] == "accepted"
        return
    assert done.returncode == 1
    assert report["verdict"] in ("deferred", "unreachable")
    if fault.startswith("421") and stage == "rcpt":
        assert probe["recipientReply"] == fault
        return
    expected = {"drop": "the connection was lost", "silent": "no answer in time", "garbage": "no reply: garbage"}.get(fault, "421 4.3.2 going down")
    assert expected in probe["problem"] or expected == probe.get("senderReply"), probe


def test_tls_that_does_not_work_is_told_of_and_what_follows(make_lab, receiver):
    class Broken:
        def wrap_socket(self, connection, server_side):
            connection.sendall(b"this is no TLS\r\n")
            raise OSError("no TLS")

    other = receiver(tls=Broken())
    code, text, report = doctor(make_lab(*route(other), *FAST), "bob@other.test")
    assert code == 0 and only_probe(report)["tls"]["state"] == "failed"
    assert "TLS: failed: " in text and "takes the recipient" in text and "in clear" in report["plan"]
    strict = make_lab(*route(other), *FAST, "--set", "outbound.tls=required", name="strict")
    code, text, report = doctor(strict, "bob@other.test")
    assert code == 1 and "recipientReply" not in only_probe(report) and only_probe(report)["tls"]["state"] == "failed"
    assert not other.messages


def test_mx_records_are_followed_and_every_address_is_asked(make_lab, receiver, tmp_path):
    other = receiver()
    zone = tmp_path / "zone"
    zone.write_text(
        "$ORIGIN other.test.\n@ IN SOA ns hostmaster 1 60 60 60 60\n@ IN MX 10 dead\n@ IN MX 20 mx\ndead IN A 127.0.0.9\nmx IN A 127.0.0.1\nnull IN MX 0 .\n"
        "twin IN MX 10 one\ntwin IN MX 20 two\none IN A 127.0.0.1\ntwo IN A 127.0.0.1\n"
    )
    lab = make_lab("--zone", zone, "--set", f"outbound.port={other.port}", *FAST)
    code, text, report = doctor(lab, "bob@other.test")
    assert code == 0 and [host["name"] for host in report["hosts"]] == ["dead.other.test", "mx.other.test"]
    assert report["security"] == "insecure" and "other.test. MX: 10 dead.other.test., 20 mx.other.test. (TTL 60, insecure)" in text
    dead, alive = (host["addresses"][0]["probe"] for host in report["hosts"])
    assert "refused" in dead["problem"] and alive["recipientCode"] == 250
    assert text.index("127.0.0.9") < text.index("takes the recipient")
    code, text, report = doctor(lab, "x@null.other.test")
    assert code == 1 and report["verdict"] == "no-route" and report["status"] == "5.1.10" and "takes no mail" in text
    code, text, report = doctor(lab, "x@gone.other.test")
    assert code == 1 and report["status"] == "5.1.2" and "spelt" in report["nextStep"]
    # Two names of one address are asked one by one.
    code, text, report = doctor(lab, "x@twin.other.test")
    assert code == 0 and [host["name"] for host in report["hosts"]] == ["one.other.test", "two.other.test"]
    assert [host["addresses"][0]["probe"]["recipientCode"] for host in report["hosts"]] == [250, 250]
    assert text.count("takes the recipient") == 2
    # A domain alone: its postmaster is asked for.
    assert doctor(lab, "other.test")[0] == 0 and "RCPT TO:<postmaster@other.test>" in other.commands


def test_addresses_that_stay_here_and_words_that_are_no_address(make_lab):
    lab = make_lab()
    code, text, report = doctor(lab, lab.user(1))
    assert code == 0 and report["verdict"] == "local" and "stays on this server" in text
    done = lab.command("doctor", "route", "not an address", check=False)
    assert done.returncode == 2 and "neither an address nor a domain" in done.stderr
    lab.stop()
    assert doctor(lab, lab.user(1))[0] == 0


def test_it_works_before_there_is_a_server(binary, receiver, tmp_path):
    other = receiver()
    config = tmp_path / "martlet.yaml"
    config.write_text(
        f"server:\n  data-directory: {tmp_path}/none\n  hostname: mail.here.test\n"
        f"dns:\n  servers: none\n  trust-anchor: \"\"\noutbound:\n  loopback-is-elsewhere: true\n  routes: other.test=127.0.0.1:{other.port}\n"
    )

    def doctor(*words):
        return subprocess.run([str(BINARY), "doctor", "route", *words], capture_output=True, text=True, timeout=60, cwd=tmp_path)

    done = doctor("bob@other.test", "--config", str(config))
    assert done.returncode == 0 and "takes the recipient" in done.stdout, done.stdout + done.stderr
    assert other.commands[0] == "EHLO mail.here.test" and not (tmp_path / "none").exists()
    done = doctor("bob@[127.0.0.1]", "--config", str(config), "--json")
    assert json.loads(done.stdout)["hosts"][0]["addresses"][0]["address"] == "127.0.0.1"
    done = doctor("bob@elsewhere.test", "--config", str(config))
    assert done.returncode == 1 and "Next step: " in done.stdout
    done = doctor("bob@other.test", "--config", str(tmp_path / "absent"))
    assert done.returncode == 2 and "cannot be read" in done.stderr
