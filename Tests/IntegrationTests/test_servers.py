"""Mail to and from the servers of others: Postfix, Exim and OpenSMTPD, by MX records that knot serves, over TLS; and between two labs.

What single replies and faults do is in test_outbound.py, with receivers that do as they are told."""

import email
import imaplib
import itertools
import quopri
import smtplib
import time

import pytest
from conftest import Lab
from peers import Authority, Exim, NameServer, Network, OpenSMTPD, Postfix, unpacked
from test_outbound import FAST, settled

KINDS = [Postfix, Exim, OpenSMTPD]
LABS = {"one.test": "127.0.0.11", "two.test": "127.0.0.12"}
serial = itertools.count(1)


@pytest.fixture(scope="module")
def network(binary):
    for kind in KINDS:
        if kind.package:
            unpacked(kind.package)
    with Network():
        yield


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "made", [f"mx.{domain}" for kind in KINDS for domain in kind.domains()])


@pytest.fixture(scope="module")
def name_server(network, tmp_path_factory):
    records = "dead A 127.0.0.9\n" + "".join(kind.records() for kind in KINDS)
    for domain, address in LABS.items():
        records += f"{domain}. MX 5 dead\n{domain}. MX 10 mail.{domain}.\nmail.{domain}. A {address}\n"
    server = NameServer(tmp_path_factory.mktemp("knot"), records)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def labs(name_server, authority, tmp_path_factory):
    """A lab for each domain, at port 25 of its address; both take the authority of the tests for one of the machine's."""
    roots = tmp_path_factory.mktemp("roots")
    (roots / "ca-certificates.crt").write_bytes(authority.certificate.read_bytes())
    trusting = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs && exec "$@"', str(roots)]
    made = {}
    try:
        for domain, address in LABS.items():
            options = ["--domain", domain, "--resolver", "127.0.0.53:53", "--set", f"listeners.smtp={address}:25", *FAST]
            made[domain] = Lab(tmp_path_factory.mktemp("lab") / domain, *options, wrapper=trusting)
        yield made
        for lab in made.values():
            settled(lab)
            assert lab.command("ledger").returncode == 0
            assert lab.command("verify").returncode == 0
            # No session is left that would have to be waited for, with TLS neither.
            began = time.monotonic()
            assert lab.stop() == 0 and time.monotonic() - began < 2
    finally:
        for lab in made.values():
            if lab.process.poll() is None:
                lab.kill()


@pytest.fixture(scope="module")
def lab(labs):
    return labs["one.test"]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def peer(request, name_server, authority, tmp_path_factory):
    server = request.param(tmp_path_factory.mktemp(request.param.name), authority)
    try:
        yield server.ready()
    finally:
        server.stop()


def letter(sender, subject=None):
    """A message that is easily damaged, and its subject: lines as long as they may be, octets above 127, dots, spaces, no line at the end."""
    subject = subject or f"letter {next(serial)} of {time.time_ns()}"
    head = (
        f"From: {sender}\r\nTo: somebody@{sender.split('@')[1]}\r\nSubject: {subject}\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{subject.replace(' ', '.')}@made.test>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    lines = [
        "From the beginning".encode(), b".", b"..two", b".leads", "ü".encode() * 499, b"x" * 998, b"." + b"y" * 996, bytes(range(0xA0, 0x100)),
        b"trailing \t ", b"", b"\tends", b"", b"",
    ]
    return subject, head.encode() + b"".join(line + b"\r\n" for line in lines)


def submit(lab, recipients, content, sender=1, options=("BODY=8BITMIME",)):
    """Submits as a user; gives the lookup code."""
    with smtplib.SMTP("127.0.0.1", lab.port("submission"), timeout=20) as client:
        client.starttls(context=lab.tls())
        client.ehlo()
        client.login(lab.user(sender), lab.password)
        client.command_encoding = "utf-8"
        client.mail(lab.user(sender), list(options))
        for recipient in recipients:
            code, reply = client.rcpt(recipient)
            assert code == 250, reply
        code, reply = client.data(content)
        assert code == 250, reply
        return reply.decode().split()[-1]


def arrived(lab, user, needle, seconds=20):
    """The one message in a user's INBOX with these octets in it, when it is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=10) as client:
            client.login(lab.user(user), lab.password)
            client.select("INBOX", readonly=True)
            answers = client.fetch("1:*", "(BODY.PEEK[])")[1] if client.untagged_responses.get("EXISTS") != [b"0"] else []
        found = [answer[1] for answer in answers if isinstance(answer, tuple) and needle.encode() in answer[1]]
        if found:
            assert len(found) == 1, f"{needle} came {len(found)} times"
            return found[0]
        time.sleep(0.1)
    queue = lab.command("queue", "list").stdout
    pytest.fail(f"{needle} did not come to user {user} of {lab.domain}; the queue:\n{queue}")


def explained(lab, code, word, seconds=20):
    """What `martlet explain` says when it says this."""
    end = time.monotonic() + seconds
    while word not in (told := lab.command("explain", code).stdout):
        assert time.monotonic() < end, told
        time.sleep(0.1)
    return told


def report(octets):
    """The recipients' fields of a bounce."""
    message = email.message_from_bytes(octets)
    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "delivery-status", octets
    machine = message.get_payload()[1]
    if machine.get_content_type() == "message/global-delivery-status":
        # RFC 6533: this one the library takes for a message, encoded as it is: its body are the recipients' fields.
        assert machine["Content-Transfer-Encoding"] == "quoted-printable"
        text = quopri.decodestring(machine.get_payload()[0].get_payload()).decode()
        return [email.message_from_string(block) for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()]
    return machine.get_payload()[1:]


def test_a_message_arrives_with_its_octets_in_one_transaction(lab, peer):
    domain = peer.domains()[0]
    subject, content = letter(lab.user(1))
    code = submit(lab, [f"bob@{domain}", f"carol@{domain}"], content)
    for user in ("bob", "carol"):
        assert peer.wait(user, subject.encode()).endswith(b"\r\n" + content)
    told = explained(lab, code, "2 handed on")
    # The better one of the two servers is dead.
    assert "dead.test" in told and f"by mx.{domain} [{peer.addresses()[0]}]" in told, told
    assert told.count("> MAIL FROM") == 1 and told.count("> RCPT TO") == 2 and "BODY=8BITMIME" in told, told
    if peer.has_working_tls:
        assert "TLSv1.3" in told and f"The certificate is valid for mx.{domain}." in told, told
    else:
        assert "> STARTTLS" in told and "trying again in clear" in told and "no encryption" in told, told


def test_an_unknown_recipient_comes_back_with_the_remote_code(lab, peer):
    domain = peer.domains()[0]
    subject, content = letter(lab.user(2))
    submit(lab, [f"nobody@{domain}", f"bob@{domain}"], content, sender=2)
    assert peer.wait("bob", subject.encode()).endswith(b"\r\n" + content)
    bounce = arrived(lab, 2, subject)
    (fields,) = report(bounce)
    assert fields["Action"] == "failed" and fields["Final-Recipient"].replace(" ", "") == f"rfc822;nobody@{domain}"
    reply, status = peer.refusal
    assert fields["Diagnostic-Code"].startswith(f"smtp; {reply}") and fields["Status"] == status, fields.as_string()
    assert f"mx.{domain}" in fields["Remote-MTA"], fields.as_string()


def test_an_address_beyond_ascii_arrives_or_comes_back_with_the_reason(lab, peer):
    domain = peer.domains()[0]
    subject, content = letter(lab.user(3))
    code = submit(lab, [f"bücher@{domain}"], content, sender=3, options=("BODY=8BITMIME", "SMTPUTF8"))
    if "smtputf8" in peer.extensions:
        assert peer.wait("bücher", subject.encode()).endswith(b"\r\n" + content)
        assert " SMTPUTF8" in explained(lab, code, "1 handed on")
        return
    bounce = arrived(lab, 3, subject)
    (fields,) = report(bounce)
    assert fields["Action"] == "failed" and fields["Final-Recipient"] == f"utf-8; bücher@{domain}", fields.as_string()
    assert fields["Status"] == "5.6.7" and "5.6.7" in fields["Diagnostic-Code"] and "SMTPUTF8" in fields["Diagnostic-Code"], fields.as_string()
    words = email.message_from_bytes(bounce).get_payload()[0].get_payload(decode=True).decode()
    assert "SMTPUTF8" in words and f"bücher@{domain}" in words, words


@pytest.mark.parametrize("peer", [Postfix, Exim], indirect=True, ids=lambda kind: kind.name)
def test_an_expired_certificate_is_better_than_none_and_is_told(lab, peer):
    domain = peer.domains()[1]
    subject, content = letter(lab.user(1))
    code = submit(lab, [f"bob@{domain}"], content)
    assert peer.wait("bob", subject.encode()).endswith(b"\r\n" + content)
    told = explained(lab, code, "1 handed on")
    assert f"by mx.{domain} [{peer.addresses()[1]}], TLSv1.3" in told, told
    assert f"The certificate of mx.{domain} does not count" in told and "the certificate expired on" in told, told


def test_its_queue_delivers_to_us_over_tls(lab, peer):
    domain = peer.domains()[0]
    subject, content = letter(f"bob@{domain}")
    peer.send(f"bob@{domain}", [lab.user(3), lab.user(4)], content, ["BODY=8BITMIME"])
    for user in (3, 4):
        message = arrived(lab, user, subject)
        assert message.endswith(b"\r\n" + content)
        assert message.startswith(f"Return-Path: <bob@{domain}>\r\n".encode()) and b"with ESMTPS" in message, message[:1000]
    told = lab.command("explain", f"<{subject.replace(' ', '.')}@made.test>").stdout
    assert f"calling itself mx.{domain}" in told and "TLSv1" in told, told


def test_it_bounces_what_we_refuse(lab, peer):
    domain = peer.domains()[0]
    subject, content = letter(f"carol@{domain}")
    peer.send(f"carol@{domain}", [lab.user(4), "nobody@one.test"], content, ["BODY=8BITMIME"])
    assert arrived(lab, 4, subject).endswith(b"\r\n" + content)
    bounce = peer.wait("carol", subject.encode())
    if not peer.writes_reports:
        assert b"550 5.1.1 <nobody@one.test>: no such user here" in bounce
        return
    (fields,) = report(bounce)
    assert fields["Action"] == "failed" and "nobody@one.test" in fields["Final-Recipient"]
    assert "550 5.1.1" in fields["Diagnostic-Code"], fields.as_string()


def test_two_labs_mail_each_other(labs):
    for here, there in itertools.permutations(labs.values()):
        subject, content = letter(here.user(1))
        code = submit(here, [there.user(1), there.user(2), f"nobody@{there.domain}"], content)
        for user in (1, 2):
            message = arrived(there, user, subject)
            assert message.endswith(b"\r\n" + content) and message.startswith(f"Return-Path: <{here.user(1)}>\r\n".encode())
        (fields,) = report(arrived(here, 1, subject))
        assert fields["Status"] == "5.1.1" and fields["Final-Recipient"].replace(" ", "") == f"rfc822;nobody@{there.domain}"
        told = explained(here, code, "2 handed on, 1 failed")
        assert f"by mail.{there.domain} [{LABS[there.domain]}], TLSv1.3" in told, told
        assert f"{there.user(1)}: relayed" in told, told
