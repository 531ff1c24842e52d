"""Logins on the submission ports, as RFC 4954 and RFC 5802 want them, and what a login is worth afterwards."""

import hashlib
import imaplib
import json
import poplib
import signal
import ssl
import subprocess
import threading
import time

import pytest
from conftest import BINARY, free_port_base, need, run, wait_until
from dialogue import Dialogue, code_of, explained, plain, scram

MESSAGE = "From: {0}\r\nSubject: x\r\n\r\nbody"


def submission(lab):
    dialogue = Dialogue(lab.port("submissions"), tls=lab.tls())
    dialogue("EHLO c.test")
    return dialogue


def login(lab, number, password=None):
    dialogue = submission(lab)
    assert dialogue(plain(lab.user(number), password or lab.password)).startswith("235")
    return dialogue


def send(dialogue, sender, recipient, text=None):
    answer = dialogue(f"MAIL FROM:<{sender}>")
    if not answer.startswith("250"):
        return answer
    assert dialogue(f"RCPT TO:<{recipient}>").startswith("250")
    return dialogue.message(text or MESSAGE.format(sender))


def test_scram_with_channel_binding_over_real_tls(lab):
    with submission(lab) as dialogue:
        binding = hashlib.sha256(dialogue.certificate()).digest()
        assert "SCRAM-SHA-256-PLUS" in dialogue("EHLO c.test")
        assert scram(dialogue, lab.user(1), lab.password, binding).startswith("235 2.7.0")
    with submission(lab) as dialogue:
        assert scram(dialogue, lab.user(1), lab.password).startswith("235 2.7.0")
    with submission(lab) as dialogue:
        # A man in the middle has another certificate.
        assert scram(dialogue, lab.user(1), lab.password, b"x" * 32).startswith("535 5.7.8")


def make_certificate(directory, name, digest):
    run(
        need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost", f"-{digest}", "-days", "30", "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.pem",
    )


def test_channel_binding_follows_the_certificate_of_the_connection(binary, tmp_path):
    """A SHA-384 certificate binds with SHA-384 (RFC 5929 §4.1), and a connection from before SIGHUP with the one that it was shown."""
    make_certificate(tmp_path, "first", "sha384")
    make_certificate(tmp_path, "second", "sha512")
    for kind in ("pem", "key"):
        (tmp_path / f"used.{kind}").write_bytes((tmp_path / f"first.{kind}").read_bytes())
    base = free_port_base()
    config = tmp_path / "martlet.yaml"
    config.write_text(
        f"server:\n  data-directory: {tmp_path}/data\n  hostname: mail.s.test\ntls:\n  certificate: {tmp_path}/used.pem\n  key: {tmp_path}/used.key\n"
        + "listeners:\n"
        + "".join(f"  {name}: none\n" for name in ("smtp", "submission", "imap", "imaps", "pop3", "pop3s"))
        + f"  submissions: 127.0.0.1:{base + 465}\n"
    )
    process = subprocess.Popen([BINARY, "serve", "--config", config], stderr=open(tmp_path / "err", "wb"))
    try:
        command = lambda *words, stdin=None: subprocess.run([BINARY, *words, "--config", config], check=True, input=stdin, text=True, capture_output=True)
        wait_until(lambda: (tmp_path / "data/control.sock").exists())
        wait_until(lambda: b"ready" in (tmp_path / "data/log").read_bytes())
        command("domain", "add", "s.test")
        command("account", "add", "a@s.test", "--password-stdin", stdin="secret pw\n")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

        def connect():
            dialogue = Dialogue(base + 465, tls=context)
            dialogue("EHLO c.test")
            return dialogue

        old = connect()
        first = old.certificate()
        assert scram(connect(), "a@s.test", "secret pw", hashlib.sha384(first).digest()).startswith("235")
        assert scram(connect(), "a@s.test", "secret pw", hashlib.sha256(first).digest()).startswith("535")
        for kind in ("pem", "key"):
            (tmp_path / f"used.{kind}").write_bytes((tmp_path / f"second.{kind}").read_bytes())
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: connect().certificate() != first)
        assert scram(old, "a@s.test", "secret pw", hashlib.sha384(first).digest()).startswith("235")
        new = connect()
        assert scram(new, "a@s.test", "secret pw", hashlib.sha512(new.certificate()).digest()).startswith("235")
        # A certificate that cannot be read changes nothing.
        (tmp_path / "used.pem").write_text("nonsense")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: b"not reloaded" in (tmp_path / "data/log").read_bytes())
        assert connect().certificate() == new.certificate()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_suspending_and_password_changes_end_open_sessions_at_once(make_lab):
    lab = make_lab()
    one, two = lab.user(1), lab.user(2)
    made = json.loads(lab.command("account", "app-password", "add", one, "--label", "phone", "--json").stdout)
    main, device = login(lab, 1), login(lab, 1, made["password"])
    idle = login(lab, 1)
    idle(f"MAIL FROM:<{one}>", f"RCPT TO:<{two}>")
    pop = poplib.POP3("127.0.0.1", lab.port("pop3"))
    pop.user(one), pop.pass_(made["password"])

    imap = imaplib.IMAP4("127.0.0.1", lab.port("imap"))
    imap.login(one, made["password"])
    own = imaplib.IMAP4("127.0.0.1", lab.port("imap"))
    own.login(one, "secret")

    # Another app password: nobody is disturbed.
    lab.command("account", "app-password", "add", one, "--label", "tablet")
    assert send(main, one, two).startswith("250") and send(device, one, two).startswith("250") and pop.stat()
    assert imap.select()[0] == "OK"

    # The device's own is revoked: it ends, the others go on.
    lab.command("account", "app-password", "revoke", one, str(made["appPassword"]["number"]))
    answer = device(f"MAIL FROM:<{one}>")
    assert answer.startswith("421 4.7.0") and "revoked" in explained(lab, answer)
    assert device.reply() == "<closed>"
    with pytest.raises(poplib.error_proto, match="no longer valid"):
        pop.stat()
    with pytest.raises(imaplib.IMAP4.abort, match="no longer valid"):
        imap.noop()
    assert own.noop()[0] == "OK"
    assert send(main, one, two).startswith("250")

    # In the middle of a transaction the message is refused.
    lab.command("account", "password", one, "--password-stdin", stdin="another one\n")
    answer = idle.message(MESSAGE.format(one))
    assert answer.startswith("550 5.7.1"), answer
    assert "authentication: refuse" in explained(lab, answer)
    assert main(f"MAIL FROM:<{one}>").startswith("421 4.7.0")

    session = login(lab, 1, "another one")
    lab.command("account", "set", one, "--suspend")
    assert session(f"MAIL FROM:<{one}>").startswith("421 4.7.0")
    assert submission(lab)(plain(one, "another one")).startswith("525 5.7.13")
    lab.command("account", "set", one, "--no-suspend")
    assert send(login(lab, 1, "another one"), one, two).startswith("250")


def test_the_code_of_a_failed_login_leads_to_its_own_reason(make_lab):
    lab = make_lab()
    one = lab.user(1)
    wrong = submission(lab)(plain(one, "wrong"))
    lab.command("account", "set", one, "--suspend")
    suspended = submission(lab)(plain(one, lab.password))
    unknown = submission(lab)("AUTH FOO")
    assert [answer[:3] for answer in (wrong, suspended, unknown)] == ["535", "525", "504"]
    for answer, reason in ((wrong, "wrong password"), (suspended, "suspended"), (unknown, "FOO")):
        assert reason in explained(lab, answer), answer
    # The same again is told by the same record.
    assert code_of(submission(lab)(plain(one, lab.password))) == code_of(suspended)


def test_the_reader_of_a_role_address_may_answer_as_it(make_lab):
    lab = make_lab()
    one = lab.user(1)
    postmaster = f"postmaster@{lab.domain}"

    def answer(name, password):
        dialogue = submission(lab)
        assert dialogue(plain(name, password)).startswith("235")
        return send(dialogue, postmaster, one)

    assert answer(f"admin@{lab.domain}", lab.password).startswith("250")
    assert answer(one, lab.password).startswith("553 5.7.1")
    # Once somebody has taken it, it is theirs.
    lab.command("alias", "add", postmaster, one)
    assert answer(one, lab.password).startswith("250")
    assert answer(f"admin@{lab.domain}", lab.password).startswith("553 5.7.1")


def test_nobody_writes_as_somebody_else(make_lab):
    lab = make_lab()
    one, two = lab.user(1), lab.user(2)
    lab.command("account", "add", "user0001+boss@example.test", "--password-stdin", stdin="a password\n")
    lab.command("alias", "add", "team@example.test", one, two)
    lab.command("alias", "add", "info@example.test", one)
    session = login(lab, 1)
    for sender in ("user0001+boss@example.test", "team@example.test", "admin@example.test", "postmaster@example.test"):
        assert session(f"MAIL FROM:<{sender}>").startswith("553 5.7.1"), sender
    for field in ("Sender", "Resent-From", "Resent-Sender", "From"):
        for other in (two, "admin@example.test", "user0001+boss@example.test", "team@example.test", f"{one}, {two}"):
            answer = send(session, one, two, f"From: {one}\r\n{field}: {other}\r\n\r\nx")
            assert answer.startswith("550 5.7.1") and field in answer, f"{field}: {other}: {answer}"
    many = ",\r\n ".join([one] * 2_000)
    assert send(session, one, two, f"From: {many}\r\n , {two}\r\n\r\nx").startswith("550 5.7.1")
    for own in (one, "info@example.test", "user0001+tag@example.test", "Info+x@Example.test"):
        text = f"From: {own}\r\nSender: {one}\r\nResent-From: {own}\r\n\r\nx"
        assert send(session, own, two, text).startswith("250"), own


@pytest.mark.parametrize("field", [b"Subject: a\nFrom: {2}", b"Subject: a\rFrom: {2}", b"From\0: {2}", b"X: \0"])
def test_a_header_in_binarymime_is_clean_all_the_same(lab, field):
    session = login(lab, 1)
    assert session(f"MAIL FROM:<{lab.user(1)}> BODY=BINARYMIME", f"RCPT TO:<{lab.user(2)}>").startswith("250")
    text = b"From: %s\r\n%s\r\n\r\n\0\n\r" % (lab.user(1).encode(), field.replace(b"{2}", lab.user(2).encode()))
    session.send(b"BDAT %d LAST\r\n%s" % (len(text), text))
    answer = session.reply()
    assert answer.startswith("550 5.6.0") and code_of(answer), answer


def test_what_auth_refuses_has_a_record(make_lab):
    lab = make_lab("--set", "auth.plaintext-from-loopback=false")
    session = submission(lab)
    told = {}
    for command, code in [("AUTH CRAM-MD5", "504 5.5.4"), ("AUTH PLAIN eA==", "501 5.5.2")]:
        answer = session(command)
        assert answer.startswith(code), answer
        told[command] = explained(lab, answer)
    assert "CRAM-MD5" in told["AUTH CRAM-MD5"] and "authentication: refuse" in told["AUTH CRAM-MD5"]
    with Dialogue(lab.port("submission")) as clear:
        clear("EHLO c.test")
        answer = clear(plain(lab.user(1), "secret"))
        assert answer.startswith("538 5.7.11") and code_of(answer)


def test_a_failed_logins_code_tells_of_that_login(make_lab):
    lab = make_lab()
    for number in (1, 2, 3):
        answer = submission(lab)(plain(lab.user(number), "wrong"))
        assert answer.startswith("535 5.7.8")
        told = explained(lab, answer)
        assert lab.user(number) in told and "wrong password" in told


def test_many_guesses_at_once_gain_nothing(make_lab):
    lab = make_lab()
    began = time.monotonic()
    answers = []

    def guess(number):
        with submission(lab) as dialogue:
            answers.append(dialogue(plain("admin@example.test", f"guess {number}"))[:3])

    threads = [threading.Thread(target=guess, args=[number]) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert answers == ["535"] * 8
    # One after the other: 0.5 + 1 + 2 + 4 seconds.
    assert time.monotonic() - began > 2
    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        client.login(lab.user(2), lab.password)
