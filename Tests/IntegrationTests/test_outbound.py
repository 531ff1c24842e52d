"""Mail that leaves: the queue, other servers of every temper, bounces, and what `martlet explain` and `martlet queue` tell of it."""

import email
import imaplib
import json
import smtplib
import socket
import ssl
import subprocess
import time

import pytest

from conftest import need, run
from receiver import Receiver

FAST = ["--set", "queue.first-retry=1s", "--set", "queue.longest-retry=2s", "--set", "outbound.reply-timeout=2s", "--set", "outbound.connect-timeout=2s"]


def send(lab, recipients, text="Subject: out\r\n\r\nhello\r\n", sender=1, options=(), rcpt_options=()):
    """Submits a message as a user; gives the lookup code of the reply."""
    with smtplib.SMTP("127.0.0.1", lab.port("submission")) as client:
        client.starttls(context=lab.tls())
        client.login(lab.user(sender), lab.password)
        data = text if isinstance(text, bytes) else text.encode()
        if b"From:" not in data:
            data = f"From: {lab.user(sender)}\r\n".encode() + data
        client.mail(lab.user(sender), list(options))
        for recipient in recipients:
            code, reply = client.rcpt(recipient, list(rcpt_options))
            assert code == 250, reply
        code, reply = client.data(data)
        assert code == 250, reply
        return reply.decode().split()[-1]


def inbox(lab, number, count, seconds=20):
    """Waits for so many messages in a user's INBOX; gives them parsed."""
    deadline = time.time() + seconds
    while True:
        with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
            client.login(lab.user(number), lab.password)
            client.select("INBOX", readonly=True)
            _, found = client.search(None, "ALL")
            numbers = found[0].split()
            if len(numbers) >= count:
                return [email.message_from_bytes(client.fetch(n, "(RFC822)")[1][0][1]) for n in numbers]
        assert time.time() < deadline, f"{len(numbers)} of {count} messages came"
        time.sleep(0.1)


def ledger(lab):
    return json.loads(lab.command("ledger", "--json").stdout)["counted"]


def settled(lab, seconds=20):
    """Waits until nothing is queued; the ledger has to hold."""
    deadline = time.time() + seconds
    while ledger(lab)["queued"] > 0:
        assert time.time() < deadline, lab.command("queue", "list").stdout
        time.sleep(0.1)
    return ledger(lab)


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


def test_a_submitted_message_reaches_another_server(make_lab, receiver):
    other = receiver()
    lab = make_lab(*route(other))
    code = send(lab, ["bob@other.test", "carol@other.test", lab.user(2)], "Subject: out\r\n\r\n.dot\r\nline\r\n")
    (message,) = other.wait(1)
    assert message["from"].startswith(f"MAIL FROM:<{lab.user(1)}>")
    assert [line.split("<")[1].split(">")[0] for line in message["to"]] == ["bob@other.test", "carol@other.test"]
    assert b"\r\n\r\n.dot\r\nline\r\n" in message["data"] and message["data"].startswith(b"Received: from ")
    assert b"Return-Path" not in message["data"] and b"Delivered-To" not in message["data"]
    assert len(inbox(lab, 2, 1)) == 1
    counted = settled(lab)
    assert counted == {"accepted": 3, "delivered": 1, "relayed": 2, "bounced": 0, "queued": 0, "discarded": 0}
    told = lab.command("explain", code).stdout
    assert "2 handed on" in told and "250 2.0.0 taken" in told and "> MAIL FROM" in told and "< 220 receiver.test" in told
    assert lab.command("ledger").returncode == 0
    assert lab.command("verify").returncode == 0


def test_without_a_login_nothing_is_relayed(make_lab, receiver):
    other = receiver()
    lab = make_lab(*route(other))
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        client.mail("a@b.test")
        assert client.rcpt("bob@other.test")[0] == 550


def test_what_is_deferred_is_tried_again(make_lab, receiver):
    replies = iter(["451 4.7.1 greylisted, come back", "452 4.2.2 full"])
    other = receiver({"rcpt": lambda _: next(replies, None)})
    lab = make_lab(*route(other), *FAST)
    code = send(lab, ["bob@other.test"])
    other.wait(1)
    settled(lab)
    told = lab.command("explain", code).stdout
    assert "greylisted" in told and "Attempt 3" in told


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data", "end"])
@pytest.mark.parametrize("fault", ["drop", "421 4.3.2 going down", "garbage"])
def test_a_server_that_fails_once_at_any_stage_gets_the_message_once(make_lab, receiver, stage, fault):
    faults = iter([fault])
    other = receiver({stage: lambda _: next(faults, None)})
    lab = make_lab(*route(other), *FAST)
    send(lab, ["bob@other.test"])
    other.wait(1)
    settled(lab)
    assert len(other.messages) == 1


def test_a_server_that_stays_silent_is_left_and_tried_again(make_lab, receiver):
    faults = iter(["silent"])
    other = receiver({"mail": lambda _: next(faults, None)})
    lab = make_lab(*route(other), *FAST)
    send(lab, ["bob@other.test"])
    other.wait(1)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "end"])
def test_a_refusal_for_good_comes_back_as_a_bounce(make_lab, receiver, stage):
    other = receiver({stage: "550 5.1.1 no such user \u00fcber".encode().decode() if stage == "rcpt" else "554 5.7.1 we do not like this"})
    lab = make_lab(*route(other), *FAST)
    code = send(lab, ["bob@other.test"], "Subject: precious\r\nMessage-ID: <one@example.test>\r\n\r\nbody\r\n")
    (bounce,) = inbox(lab, 1, 1)
    assert bounce.get_content_type() == "multipart/report" and bounce.get_param("report-type") == "delivery-status"
    words, machine, original = bounce.get_payload()
    assert code in words.get_payload(decode=True).decode() and "bob@other.test" in words.get_payload(decode=True).decode()
    fields = machine.get_payload()[1]
    assert fields["Action"] == "failed" and fields["Final-Recipient"].replace(" ", "") == "rfc822;bob@other.test"
    assert fields["Status"] == ("5.1.1" if stage == "rcpt" else "5.7.1")
    assert "precious" in original.as_string()
    assert bounce["Auto-Submitted"] == "auto-replied" and bounce["Return-Path"] == "<>"
    counted = settled(lab)
    assert counted["bounced"] == 1 and counted["relayed"] == 0


def test_bounces_do_not_bounce(make_lab, receiver):
    other = receiver({"rcpt": "550 5.1.1 no such user"})
    lab = make_lab(*route(other), *FAST)
    lab.command("alias", "add", f"away@{lab.domain}", "bob@other.test")
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        client.mail("")
        assert client.rcpt(f"away@{lab.domain}")[0] == 250
        assert client.data(b"Subject: a notice\r\n\r\nx\r\n")[0] == 250
    counted = settled(lab)
    assert counted["discarded"] == 1 and counted["bounced"] == 0


def test_a_message_that_waits_too_long_is_told_of_and_comes_back(make_lab, receiver, tmp_path):
    clock = tmp_path / "clock"
    clock.write_text("0")
    other = receiver({"rcpt": "451 4.3.0 never today"})
    lab = make_lab(*route(other), *FAST, "--set", "queue.delay-notice=2s", "--clock", str(clock))
    send(lab, ["bob@other.test"])
    (late,) = inbox(lab, 1, 1)
    assert late.get_payload()[1].get_payload()[1]["Action"] == "delayed"
    clock.write_text(str(6 * 86_400))
    bounce = inbox(lab, 1, 2)[1]
    fields = bounce.get_payload()[1].get_payload()[1]
    assert fields["Action"] == "failed" and fields["Status"] == "5.4.7"
    assert settled(lab)["bounced"] == 1


def test_notify_never_gets_no_bounce_and_success_gets_a_notice(make_lab, receiver):
    other = receiver({"rcpt": lambda line: "550 5.1.1 no" if "nobody" in line else None}, extensions=["PIPELINING", "8BITMIME"])
    lab = make_lab(*route(other), *FAST)
    send(lab, ["nobody@other.test"], rcpt_options=["NOTIFY=NEVER"])
    settled(lab)
    send(lab, ["bob@other.test"], options=["ENVID=envelope+2B1", "RET=HDRS"], rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;bob+2Btag@other.test"])
    (notice,) = inbox(lab, 1, 1)
    head, fields = notice.get_payload()[1].get_payload()
    assert head["Original-Envelope-Id"] == "envelope+1"
    assert fields["Action"] == "relayed" and fields["Original-Recipient"].replace(" ", "") == "rfc822;bob+tag@other.test"


def test_dsn_parameters_are_passed_on(make_lab, receiver):
    other = receiver()
    lab = make_lab(*route(other), *FAST)
    send(lab, ["bob@other.test"], options=["ENVID=e1", "RET=HDRS"], rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;bob@other.test"])
    (message,) = other.wait(1)
    assert "ENVID=e1" in message["from"] and "RET=HDRS" in message["from"]
    assert "NOTIFY=SUCCESS" in message["to"][0] and "ORCPT=rfc822;bob@other.test" in message["to"][0]
    settled(lab)
    assert ledger(lab)["relayed"] == 1


def test_an_eight_bit_message_is_made_seven_bit_where_it_has_to_be(make_lab, receiver):
    other = receiver(extensions=["PIPELINING"])
    lab = make_lab(*route(other), *FAST)
    text = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n".encode()
    send(lab, ["bob@other.test"], text, options=["BODY=8BITMIME"])
    (message,) = other.wait(1)
    assert all(byte < 128 for byte in message["data"])
    parsed = email.message_from_bytes(message["data"])
    assert parsed.get_payload(decode=True).decode().strip() == "grüße"


def test_an_address_beyond_ascii_needs_smtputf8_or_bounces(make_lab, receiver):
    other = receiver(extensions=["PIPELINING", "8BITMIME"])
    lab = make_lab(*route(other), *FAST)
    with smtplib.SMTP("127.0.0.1", lab.port("submission")) as client:
        client.starttls(context=lab.tls())
        client.login(lab.user(1), lab.password)
        client.ehlo()
        client.command_encoding = "utf-8"
        client.mail(lab.user(1), ["SMTPUTF8"])
        assert client.rcpt("bücher@other.test")[0] == 250
        assert client.data(f"From: {lab.user(1)}\r\nSubject: x\r\n\r\nx\r\n".encode())[0] == 250
    (bounce,) = inbox(lab, 1, 1)
    assert "SMTPUTF8" in bounce.as_string()


def test_tls_is_used_when_offered_and_told(make_lab, receiver, tmp_path):
    run(need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out", tmp_path / "cert", "-days", "1", "-subj", "/CN=wrong.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    other = receiver(tls=context)
    lab = make_lab(*route(other), *FAST)
    code = send(lab, ["bob@other.test"])
    (message,) = other.wait(1)
    assert message["tls"]
    settled(lab)
    assert "TLSv1.3" in lab.command("explain", code).stdout


def test_broken_tls_falls_back_to_clear_unless_it_is_required(make_lab, receiver):
    class Broken:
        def wrap_socket(self, connection, server_side):
            connection.sendall(b"this is no TLS\r\n")
            raise OSError("no TLS")

    other = receiver(tls=Broken())
    lab = make_lab(*route(other), *FAST)
    send(lab, ["bob@other.test"])
    (message,) = other.wait(1)
    assert not message["tls"]
    strict = make_lab(*route(other), *FAST, "--set", "outbound.tls=required", name="strict")
    send(strict, ["bob@other.test"])
    time.sleep(3)
    assert len(other.messages) == 1
    assert ledger(strict)["queued"] == 1


def test_hold_release_retry_cancel(make_lab, receiver):
    other = receiver({"rcpt": "451 4.3.0 later"})
    lab = make_lab(*route(other))
    code = send(lab, ["bob@other.test"])
    deadline = time.time() + 10
    while "later" not in lab.command("queue", "show", code).stdout:
        assert time.time() < deadline
        time.sleep(0.1)
    assert "1 recipient is held" in lab.command("queue", "hold", code).stdout
    assert "held" in lab.command("queue", "list").stdout
    other.script.clear()
    assert lab.command("queue", "release", "--to", "other.test").stdout.startswith("1 ")
    other.wait(1)
    settled(lab)
    other.script["rcpt"] = "451 4.3.0 later"
    code = send(lab, ["bob@other.test"])
    time.sleep(0.5)
    other.script.clear()
    assert lab.command("queue", "retry", "--all").stdout.startswith("1 ")
    other.wait(2)
    settled(lab)
    other.script["rcpt"] = "451 4.3.0 later"
    code = send(lab, ["bob@other.test"])
    time.sleep(0.5)
    statistics = json.loads(lab.command("queue", "stats", "--json").stdout)
    assert statistics["recipients"] == 1 and statistics["destinations"][0]["destination"] == "other.test"
    assert lab.command("queue", "cancel", code).stdout.startswith("1 ")
    (bounce,) = inbox(lab, 1, 1)
    words = " ".join(bounce.as_string().split())
    assert "cancelled by the administrator" in words and "An administrator of this mail server took the message off" in words
    assert lab.command("queue", "show", code, check=False).returncode == 1
    assert settled(lab)["bounced"] == 1


def test_a_retry_by_hand_tries_a_destination_that_is_left_alone(make_lab, receiver):
    other = receiver({"greeting": "421 4.3.2 down"})
    lab = make_lab(*route(other), "--set", "queue.first-retry=1s", "--set", "queue.longest-retry=1h")
    codes = [send(lab, ["bob@other.test"]) for _ in range(3)]
    time.sleep(4)
    tried = [lab.command("queue", "show", code).stdout for code in codes]
    assert any("down" in text for text in tried) and not other.messages
    other.script.clear()
    time.sleep(2)
    assert not other.messages, "it was not left alone"
    assert lab.command("queue", "retry", codes[0]).stdout.startswith("1 ")
    other.wait(1)
    lab.command("queue", "retry", "--all", check=False)
    other.wait(3)
    assert settled(lab)["relayed"] == 3


def test_a_failure_that_nobody_can_be_told_of_is_discarded_and_not_called_bounced(make_lab, receiver):
    other = receiver({"rcpt": "451 4.3.0 later"})
    lab = make_lab(*route(other), *FAST)
    code = send(lab, ["bob@other.test"], sender=2)
    lab.command("account", "remove", lab.user(2), "--yes")
    other.script["rcpt"] = "550 5.1.1 nobody"
    counted = settled(lab)
    assert (counted["bounced"], counted["discarded"]) == (0, 1), counted
    assert "unknown sender" in lab.command("explain", code).stdout


def test_an_alias_forwards_with_a_rewritten_sender_and_bounces_find_back(make_lab, receiver):
    other = receiver()
    origin = receiver()
    lab = make_lab(*route(other), *route(origin, "origin.test"), *FAST)
    lab.command("alias", "add", f"away@{lab.domain}", "bob@other.test")
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        client.mail("anna@origin.test")
        assert client.rcpt(f"away@{lab.domain}")[0] == 250
        assert client.data(b"From: anna@origin.test\r\nSubject: fwd\r\n\r\nx\r\n")[0] == 250
    (message,) = other.wait(1)
    rewritten = message["from"].split("<")[1].split(">")[0]
    assert rewritten.startswith("SRS0=") and rewritten.endswith(f"@{lab.domain}")
    assert f"Delivered-To: away@{lab.domain}".encode() in message["data"]
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        client.mail("")
        assert client.rcpt(rewritten)[0] == 250
        assert client.rcpt(rewritten.replace("SRS0=", "SRS0=x"))[0] == 550
        assert client.data(b"Subject: bounce\r\n\r\nx\r\n")[0] == 250
    (back,) = origin.wait(1)
    assert back["to"][0].startswith("RCPT TO:<anna@origin.test>") and back["from"].startswith("MAIL FROM:<>")


def test_mail_that_comes_back_to_a_forward_ends(make_lab, receiver):
    other = receiver()
    lab = make_lab(*route(other), *FAST)
    lab.command("alias", "add", f"away@{lab.domain}", "bob@other.test")
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        client.mail("anna@origin.test")
        client.rcpt(f"away@{lab.domain}")
        code, reply = client.data(f"Delivered-To: away@{lab.domain}\r\nSubject: round\r\n\r\nx\r\n".encode())
        assert code == 554 and b"5.4.6" in reply


def test_two_labs_mail_each_other_by_mx(make_lab, tmp_path):
    first = make_lab("--domain", "one.test", *FAST, name="one")
    second = make_lab("--domain", "two.test", *FAST, name="two")
    first.stop(), second.stop()
    for lab, mine, theirs in ((first, second, "two.test"), (second, first, "one.test")):
        lab.options += ["--route", f"{theirs}=127.0.0.1:{mine.base + 25}"]
        lab.start()
    send(first, ["user0001@two.test"])
    (message,) = inbox(second, 1, 1)
    assert message["Return-Path"] == "<user0001@one.test>"
    send(second, ["user0002@one.test", "nobody@one.test"])
    inbox(first, 2, 1)
    bounce = inbox(second, 1, 2)[1]
    assert bounce.get_content_type() == "multipart/report"


def test_mx_records_from_a_zone_are_followed(make_lab, receiver, tmp_path):
    other = receiver()
    zone = tmp_path / "zone"
    zone.write_text("$ORIGIN other.test.\n@ IN SOA ns hostmaster 1 60 60 60 60\n@ IN MX 10 dead\n@ IN MX 20 mx\ndead IN A 127.0.0.9\nmx IN A 127.0.0.1\nnull IN MX 0 .\n")
    lab = make_lab("--zone", str(zone), "--set", f"outbound.port={other.port}", *FAST)
    code = send(lab, ["bob@other.test"])
    other.wait(1)
    settled(lab)
    assert "mx.other.test" in lab.command("explain", code).stdout
    send(lab, ["x@null.other.test", "y@nowhere.test"])
    texts = "".join(bounce.as_string() for bounce in inbox(lab, 1, 2))
    assert "5.1.10" in texts and "5.1.2" in texts


def test_a_queue_survives_a_crash(make_lab, receiver):
    other = receiver({"rcpt": "451 4.3.0 later"})
    lab = make_lab(*route(other), *FAST)
    for number in range(20):
        send(lab, [f"bob{number}@other.test"])
    lab.kill()
    other.script.clear()
    lab.start()
    other.wait(20)
    counted = settled(lab)
    assert counted["relayed"] == 20 and len(other.messages) == 20


def test_a_message_for_a_server_that_never_answers_comes_back_when_its_time_is_over(make_lab, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nobody = probe.getsockname()[1]
    clock = tmp_path / "clock"
    clock.write_text("0")
    lab = make_lab("--route", f"other.test=127.0.0.1:{nobody}", *FAST, "--clock", str(clock))
    for number in range(5):
        send(lab, [f"bob{number}@other.test"])
    time.sleep(3)
    clock.write_text(str(6 * 86_400))
    bounces = inbox(lab, 1, 5, seconds=30)
    assert all(bounce.get_payload()[1].get_payload()[1]["Action"] == "failed" for bounce in bounces)
    assert settled(lab)["bounced"] == 5
