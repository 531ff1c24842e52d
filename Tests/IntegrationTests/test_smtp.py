"""SMTP, submission and LMTP as other servers and programs see them: Python's smtplib, and raw sockets for what no client sends."""

import imaplib
import json
import re
import signal
import smtplib
import socket
import ssl
import threading

import pytest
from conftest import need, run, wait_until
from dialogue import Dialogue, code_of, explained, plain


def talk(port, data, host="127.0.0.1", timeout=10):
    """Sends all of `data` at once and reads until the server closes or is silent."""
    with socket.create_connection((host, port), timeout=timeout) as peer:
        peer.settimeout(1.0)
        peer.sendall(data)
        received = b""
        try:
            while chunk := peer.recv(65536):
                received += chunk
        except TimeoutError:
            pass
        return received.decode("utf-8", "replace")


def envelope(lab, number=1, name=b"c.test"):
    return b"EHLO %s\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<%s>\r\n" % (name, lab.user(number).encode())


def count(lab, number):
    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        client.login(lab.user(number), lab.password)
        return int(client.select("INBOX", readonly=True)[1][0])


MESSAGE = b"From: a@far.test\r\nSubject: x\r\n\r\nbody\r\n"


def test_smtplib_delivers_on_both_address_families(lab):
    before = count(lab, 1)
    for host in ("127.0.0.1", "::1"):
        with smtplib.SMTP(host, lab.port("smtp")) as client:
            assert client.sendmail("a@far.test", [lab.user(1)], MESSAGE) == {}
    assert count(lab, 1) == before + 2


def test_starttls_and_implicit_tls_with_login(lab):
    own = lab.user(2)
    message = f"From: {own}\r\nSubject: x\r\n\r\nbody\r\n"
    with smtplib.SMTP("localhost", lab.port("submission")) as client:
        client.starttls(context=lab.tls())
        client.login(own, lab.password)
        client.sendmail(own, [lab.user(1)], message)
    with smtplib.SMTP_SSL("localhost", lab.port("submissions"), context=lab.tls()) as client:
        client.login(own, lab.password)
        client.sendmail(own, [lab.user(1)], message)
    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        client.login(lab.user(1), lab.password)
        client.select("INBOX", readonly=True)
        number = client.search(None, "ALL")[1][0].split()[-1].decode()
        header = client.fetch(number, "(BODY.PEEK[HEADER])")[1][0][1].decode()
    assert re.search(r"with ESMTPSA id", header) and "using TLSv1.3 with cipher TLS_" in header
    assert re.search(r"^Date: ", header, re.M) and re.search(r"^Message-ID: <\w+@", header, re.M)


def test_a_relay_adds_neither_date_nor_message_id(lab):
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.sendmail("a@far.test", [lab.user(3)], MESSAGE)
    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        client.login(lab.user(3), lab.password)
        client.select("INBOX", readonly=True)
        header = client.fetch("*", "(BODY.PEEK[HEADER])")[1][0][1].decode()
    assert "Message-ID" not in header and "\nDate" not in header


@pytest.mark.parametrize(
    "commands,code",
    [
        (b"EHLO c\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<nobody@example.test>\r\n", "550 5.1.1"),
        (b"EHLO c\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<x@elsewhere.test>\r\n", "550 5.7.1"),
        (b"EHLO c\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<user0001%elsewhere.test@example.test>\r\n", "550 5.1.1"),
        (b"EHLO c\r\nMAIL FROM:<a@far.test> SIZE=999999999\r\n", "552 5.3.4"),
        (b"EHLO c\r\nMAIL FROM:<\xc3\xbc@far.test>\r\n", "553 5.6.7"),
        (b"EHLO c\r\nMAIL FROM:<\xff@far.test> SMTPUTF8\r\n", "553 5.6.7"),
        (b"NOOP\nNOOP\r\n", "500 5.5.2"),
        (b"VRFY user0001\r\n", "252 2.5.0"),
        (b"EHLO c\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<postmaster>\r\n", "250 2.1.5"),
        (b"EHLO c\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<abuse@example.test>\r\n", "250 2.1.5"),
        (b"EHLO c\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<USER0001+tag@EXAMPLE.test>\r\n", "250 2.1.5"),
    ],
)
def test_replies_of_the_relay_port(lab, commands, code):
    assert code in talk(lab.port("smtp"), commands)


def test_a_refusal_has_a_record_that_explains_it(lab):
    reply = talk(lab.port("smtp"), b"EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<nobody@example.test>\r\nQUIT\r\n")
    code = re.search(r"\(record (\w{13})\)", reply).group(1)
    told = lab.command("explain", code).stdout
    assert "nobody@example.test" in told and "refuse" in told and "martlet account add" in told


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\r\n.\r\r\n"])
def test_no_smuggling(lab, end):
    before = count(lab, 4)
    second = b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<%s>\r\nDATA\r\nfake\r\n.\r\n" % lab.user(4).encode()
    output = talk(lab.port("smtp"), envelope(lab, 4) + b"DATA\r\n" + MESSAGE.rstrip() + end + second + b"QUIT\r\n")
    assert re.search(r"550 5\.6\.0 .*bare", output), output
    assert output.count("250 2.0.0 Ok: accepted") == 0
    assert count(lab, 4) == before


def test_bytes_before_the_handshake_are_never_used(lab):
    output = talk(lab.port("submission"), b"EHLO c\r\nSTARTTLS\r\nEHLO injected\r\nNOOP\r\n")
    assert "503 5.5.1" in output and "220 2.0.0" not in output


def test_submission_refuses_others_addresses(lab):
    own = lab.user(2)
    with smtplib.SMTP_SSL("localhost", lab.port("submissions"), context=lab.tls()) as client:
        client.ehlo()
        assert client.docmd("MAIL", f"FROM:<{own}>")[0] == 530
        client.login(own, lab.password)
        code, text = client.docmd("MAIL", f"FROM:<{lab.user(1)}>")
        assert code == 553 and b"5.7.1" in text
        assert client.docmd("MAIL", f"FROM:<{own}>")[0] == 250
        assert client.docmd("RCPT", "TO:<x@elsewhere.test>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{lab.user(1)}>")[0] == 250
        code, text = client.data(f"From: {lab.user(3)}\r\nSubject: forged\r\n\r\nx\r\n")
        assert code == 550 and b"5.7.1" in text


def test_submission_takes_the_empty_sender_with_an_own_from(lab):
    with smtplib.SMTP_SSL("localhost", lab.port("submissions"), context=lab.tls()) as client:
        client.login(lab.user(2), lab.password)
        assert client.docmd("MAIL", "FROM:<>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{lab.user(1)}>")[0] == 250
        assert client.data(f"From: {lab.user(3)}\r\nSubject: forged\r\n\r\nx\r\n")[0] == 550
        assert client.docmd("MAIL", "FROM:<>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{lab.user(1)}>")[0] == 250
        assert client.data(f"From: {lab.user(2)}\r\nSubject: a receipt\r\n\r\nx\r\n")[0] == 250


def test_without_a_queue_the_outside_is_refused(make_lab):
    lab = make_lab("--set", "queue.enabled=false")
    with smtplib.SMTP_SSL("localhost", lab.port("submissions"), context=lab.tls()) as client:
        client.login(lab.user(2), lab.password)
        client.mail(lab.user(2))
        code, text = client.docmd("RCPT", "TO:<x@elsewhere.test>")
        assert code == 550 and b"5.7.1" in text


@pytest.mark.parametrize("first", [" ; Mon, 1 Jan 2001 00:00:00 +0000", "\tfolded", "hello", ": nothing", "hello there: x"])
def test_a_message_without_a_header_keeps_its_body_and_the_trace_its_own(lab, first):
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        client.mail("a@b.test")
        client.rcpt(lab.user(3))
        assert client.data(f"{first}\r\nxyz\r\n".encode())[0] == 250
    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        client.login(lab.user(3), lab.password)
        client.select("INBOX")
        last = client.search(None, "ALL")[1][0].split()[-1]
        head = client.fetch(last, "(BODY[HEADER])")[1][0][1]
        text = client.fetch(last, "(BODY[TEXT])")[1][0][1]
    assert text == f"{first}\r\nxyz\r\n".encode()
    assert b"2001" not in head and b"folded" not in head


def test_a_recipient_that_the_message_was_delivered_to_before_is_counted_as_discarded(lab):
    before = json.loads(lab.command("ledger", "--json").stdout)["counted"]
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        client.mail("a@b.test")
        client.rcpt(lab.user(2)), client.rcpt(lab.user(3))
        assert client.data(f"Delivered-To: {lab.user(3)}\r\nSubject: x\r\n\r\nx\r\n")[0] == 250
        lab.command("alias", "add", f"both@{lab.domain}", lab.user(2), lab.user(3))
        client.mail("a@b.test")
        client.rcpt(f"both@{lab.domain}")
        assert client.data(f"Delivered-To: {lab.user(3)}\r\nSubject: x\r\n\r\nx\r\n")[0] == 250
    after = json.loads(lab.command("ledger", "--json").stdout)["counted"]
    assert after["accepted"] - before["accepted"] == 4 and after["discarded"] - before["discarded"] == 2


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_logs_in(lab, mechanism):
    run(
        need("swaks"), "--server", "localhost", "--port", lab.port("submission"), "--tls", "--auth", mechanism, "--auth-user", lab.user(2),
        "--auth-password", lab.password, "--from", lab.user(2), "--to", lab.user(1), "--h-From", lab.user(2),
    )


def test_plain_password_is_refused_in_the_clear_unless_the_lab_allows_loopback(make_lab):
    strict = make_lab("--set", "auth.plaintext-from-loopback=false")
    with smtplib.SMTP("127.0.0.1", strict.port("submission")) as client:
        client.ehlo()
        assert "PLAIN" not in client.esmtp_features.get("auth", "").split()
        code, _ = client.docmd("AUTH", "PLAIN AGEAYg==")
        assert code == 538


def test_limits_of_size_recipients_errors(make_lab):
    small = make_lab("--set", "smtp.max-message-size=64000", "--set", "smtp.max-recipients=100", "--set", "smtp.max-errors=5")
    port = small.port("smtp")
    big = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n"
    output = talk(port, envelope(small) + b"DATA\r\n" + big + (b"z" * 98 + b"\r\n") * 1000 + b".\r\nNOOP\r\n")
    assert "552 5.3.4" in output and output.rstrip().endswith("250 2.0.0 Ok")
    output = talk(port, b"EHLO c\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<user0001@example.test>\r\n" * 101)
    assert output.count("250 2.1.5") == 100 and "452 4.5.3" in output
    assert "421 4.7.0" in talk(port, b"XYZZY\r\n" * 10)


def test_quota_is_told_at_rcpt(make_lab):
    lab = make_lab()
    lab.command("account", "set", lab.user(1), "--quota", "10000")
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@far.test> SIZE=20000")[0] == 250
        code, text = client.docmd("RCPT", f"TO:<{lab.user(1)}>")
        assert code == 452 and b"4.2.2" in text
        client.rset()
        client.docmd("MAIL", "FROM:<a@far.test>")
        assert client.docmd("RCPT", f"TO:<{lab.user(1)}>")[0] == 250


def test_loops_are_stopped(lab):
    received = b"Received: from a by b; Tue, 24 Nov 2026 00:00:00 +0000\r\n" * 101
    output = talk(lab.port("smtp"), envelope(lab) + b"DATA\r\n" + received + MESSAGE + b".\r\nQUIT\r\n")
    assert "554 5.4.6" in output
    output = talk(lab.port("smtp"), envelope(lab) + b"DATA\r\nDelivered-To: " + lab.user(1).encode() + b"\r\n" + MESSAGE + b".\r\nQUIT\r\n")
    assert "554 5.4.6" in output


def test_chunking_and_binarymime(lab):
    before = count(lab, 1)
    chunks = b"BDAT 20\r\n" + b"Subject: chunks\r\n\r\nx" + b"BDAT 4 LAST\r\n" + b"\0\n\r\xff"
    output = talk(lab.port("smtp"), b"EHLO c\r\nMAIL FROM:<a@far.test> BODY=BINARYMIME\r\nRCPT TO:<" + lab.user(1).encode() + b">\r\n" + chunks + b"QUIT\r\n")
    assert "Ok: accepted" in output, output
    assert count(lab, 1) == before + 1


def test_smtputf8_to_a_local_address(lab):
    lab.command("alias", "add", "jürgen@example.test", lab.user(1))
    output = talk(lab.port("smtp"), "EHLO c\r\nMAIL FROM:<ü@far.test> SMTPUTF8\r\nRCPT TO:<JÜRGEN@example.test>\r\n".encode() + b"DATA\r\n" + MESSAGE + b".\r\nQUIT\r\n")
    assert "Ok: accepted" in output, output


def test_lmtp_answers_for_each_recipient(make_lab, tmp_path):
    socket_path = tmp_path / "lmtp.sock"
    lab = make_lab("--set", f"listeners.lmtp={socket_path}")
    lab.command("account", "set", lab.user(2), "--quota", "1000")
    with smtplib.LMTP(str(socket_path)) as client:
        client.connect(str(socket_path))
        client.ehlo("relay.test")
        client.docmd("MAIL", "FROM:<a@far.test>")
        assert client.docmd("RCPT", f"TO:<{lab.user(1)}>")[0] == 250
        # Nobody knows yet how large the message will be.
        assert client.docmd("RCPT", f"TO:<{lab.user(2)}>")[0] == 250
        client.docmd("DATA")
        client.send(MESSAGE + b"y" * 900 + b"\r\n.\r\n")
        assert [client.getreply()[0] for _ in range(2)] == [250, 452]
    assert used(lab, lab.user(1))["usedMessages"] == 1 and used(lab, lab.user(2))["usedMessages"] == 0


def test_a_large_message_streams_in_bounded_memory(make_lab):
    lab = make_lab()

    def resident():
        with open(f"/proc/{lab.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    line = b"0123456789" * 7 + b"\r\n"
    body = line * (45_000_000 // len(line))
    before = resident()
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        client.sendmail("a@far.test", [lab.user(1)], MESSAGE + body)
    assert resident() - before < 40_000_000
    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        client.login(lab.user(1), lab.password)
        client.select("INBOX")
        whole = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
    assert whole.endswith(MESSAGE + body)


def test_many_connections_at_once_all_get_their_250(lab):
    before = count(lab, 1)
    failures = []

    def send():
        try:
            with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
                for _ in range(10):
                    client.sendmail("a@far.test", [lab.user(1)], MESSAGE)
        except Exception as error:  # every failure counts
            failures.append(error)

    threads = [threading.Thread(target=send) for _ in range(20)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failures == []
    assert count(lab, 1) == before + 200


def test_connection_limit_per_address(make_lab):
    lab = make_lab("--set", "smtp.max-connections-per-address=3")
    held = [socket.create_connection(("127.0.0.1", lab.port("smtp"))) for _ in range(3)]
    [peer.recv(200) for peer in held]
    with socket.create_connection(("127.0.0.1", lab.port("smtp"))) as refused:
        refused.settimeout(5)
        answer = refused.recv(200).decode()
    assert answer.startswith("421 4.7.0") and "3 connections open" not in answer
    assert "connections: defer" in explained(lab, answer)
    [peer.close() for peer in held]


def test_an_old_tls_version_is_refused(lab):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", lab.port("submissions"))) as peer, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(peer)


def begin(lab, *recipients, sender="a@far.test", service="smtp"):
    dialogue = Dialogue(lab.port(service))
    dialogue("EHLO c.test", f"MAIL FROM:<{sender}>")
    for recipient in recipients:
        assert dialogue(f"RCPT TO:<{recipient}>").startswith("250"), recipient
    return dialogue


def used(lab, address):
    return json.loads(lab.command("account", "show", address, "--json").stdout)["account"]


def ledger_holds(lab):
    return lab.command("ledger", check=False).returncode == 0


def test_an_account_that_goes_between_rcpt_and_data_loses_no_mail_in_silence(lab):
    for name in ("gone", "stays"):
        lab.command("account", "add", f"{name}@example.test", "--password-stdin", stdin="a password\n")
    lab.command("alias", "add", "both@example.test", "gone@example.test", "stays@example.test")
    alone, group = begin(lab, "gone@example.test"), begin(lab, "both@example.test")
    lab.command("account", "remove", "gone@example.test", "--yes")
    answer = alone.message(b"Message-ID: <lost@far.test>\r\n" + MESSAGE)
    assert answer.startswith("550 5.1.1"), answer
    told = explained(lab, answer)
    assert "removed between RCPT" in told and "gone@example.test" in told
    assert code_of(answer) in lab.command("explain", "<lost@far.test>").stdout
    assert group.message(MESSAGE).startswith("250")
    assert used(lab, "stays@example.test")["usedMessages"] == 1 and ledger_holds(lab)
    assert alone("NOOP").startswith("250")
    lab.command("alias", "remove", "both@example.test")
    lab.command("account", "remove", "stays@example.test", "--yes")


def test_lmtp_tells_and_records_that_nobody_has_room(make_lab, tmp_path):
    lab = make_lab("--set", f"listeners.lmtp={tmp_path / 'lmtp.sock'}")
    for number in (1, 2):
        lab.command("account", "set", lab.user(number), "--quota", "1000")
    with smtplib.LMTP(str(tmp_path / "lmtp.sock")) as client:
        client.ehlo("relay.test")
        client.docmd("MAIL", "FROM:<a@far.test>")
        for number in (1, 2):
            assert client.docmd("RCPT", f"TO:<{lab.user(number)}>")[0] == 250
        client.docmd("DATA")
        client.send(MESSAGE + b"y" * 900 + b"\r\n.\r\n")
        answers = [client.getreply() for _ in range(2)]
        for number, (code, text) in zip((1, 2), answers):
            assert code == 452 and b"4.2.2 <%s>" % lab.user(number).encode() in text
        told = explained(lab, answers[0][1].decode())
        assert "quota: defer" in told and lab.user(1) in told and lab.user(2) in told
        assert code_of(answers[0][1].decode()) == code_of(answers[1][1].decode())
    assert used(lab, lab.user(1))["usedBytes"] == 0 and ledger_holds(lab)


def test_a_message_that_does_not_fit_is_refused_though_mail_told_no_size(make_lab):
    lab = make_lab()
    for number in (1, 2):
        lab.command("account", "set", lab.user(number), "--quota", "1000")
    big = MESSAGE + (b"y" * 70 + b"\r\n") * 4_000
    for recipients in ([1], [1, 2]):
        answer = begin(lab, *map(lab.user, recipients)).message(big)
        assert answer.startswith("452 4.2.2"), answer
        assert "quota: defer" in explained(lab, answer)
    assert used(lab, lab.user(1))["usedBytes"] == 0
    # With one who has room it is taken for all, as a list is.
    assert begin(lab, lab.user(1), lab.user(3)).message(big).startswith("250")
    assert ledger_holds(lab)


def test_one_recipient_who_had_the_message_before_does_not_keep_it_from_the_others(make_lab, tmp_path):
    lab = make_lab("--set", f"listeners.lmtp={tmp_path / 'lmtp.sock'}")
    looping = f"Delivered-To: {lab.user(2)}\r\n".encode() + MESSAGE
    answer = begin(lab, lab.user(1), lab.user(2)).message(looping)
    assert answer.startswith("250"), answer
    told = lab.command("explain", answer.rsplit(" ", 1)[1]).stdout
    assert "loop: discard" in told and "accepted" in told
    assert used(lab, lab.user(1))["usedMessages"] == 1 and used(lab, lab.user(2))["usedMessages"] == 0
    assert begin(lab, lab.user(2)).message(looping).startswith("554 5.4.6")
    with smtplib.LMTP(str(tmp_path / "lmtp.sock")) as client:
        client.ehlo("relay.test")
        client.docmd("MAIL", "FROM:<a@far.test>")
        for number in (1, 2):
            client.docmd("RCPT", f"TO:<{lab.user(number)}>")
        client.docmd("DATA")
        client.send(looping + b".\r\n")
        assert [client.getreply()[0] for _ in range(2)] == [250, 554]
    assert ledger_holds(lab)


@pytest.mark.parametrize("field", ["From", "To", "Cc"])
def test_a_list_of_addresses_without_its_comma_hangs_nothing(lab, field):
    answer = begin(lab, lab.user(1)).message(f"{field}: <a@b.test> <c@d.test>\r\n\r\nx")
    assert answer.startswith("250"), answer


def test_a_refusal_names_whom_it_refused(lab):
    dialogue = Dialogue(lab.port("smtp"))
    dialogue("EHLO c.test", "MAIL FROM:<first@far.test>", "RSET")
    told = explained(lab, dialogue("MAIL FROM:<second@far.test> SIZE=999999999"))
    assert "second@far.test" in told and "first@far.test" not in told
    dialogue("MAIL FROM:<first@far.test>", "EHLO c.test")
    for command, code in [
        ("MAIL FROM:<third@far.test> FOO=1", "555 5.5.4"), ("MAIL FROM:<th ird>", "501 5.1.7"), ("MAIL FROM:<thïrd@far.test>", "553 5.6.7"),
    ]:
        answer = dialogue(command)
        assert answer.startswith(code), answer
        told = explained(lab, answer)
        assert command.split("<")[1].split(">")[0] in told and "first@far.test" not in told
    dialogue("MAIL FROM:<fourth@far.test>")
    for command, code in [("RCPT TO:<user0001@example.test> X=1", "555 5.5.4"), ("RCPT TO:user0001", "501 5.5.4"), ("RCPT TO:<jürgen@example.test>", "553 5.6.7")]:
        answer = dialogue(command)
        assert answer.startswith(code), answer
        told = explained(lab, answer)
        assert "fourth@far.test" in told and command.split(":")[1].strip("<>").split(">")[0] in told
    with Dialogue(lab.port("submission")) as submission:
        submission("EHLO c.test")
        answer = submission("MAIL FROM:<fifth@far.test>")
        assert answer.startswith("530 5.7.0") and "fifth@far.test" in explained(lab, answer)


def test_commands_that_are_not_understood_make_one_record_a_connection(lab):
    dialogue = Dialogue(lab.port("smtp"))
    dialogue("EHLO c.test", "MAIL FROM:<garbled@far.test>", "XYZZY", "DATA\x1b[31m", "NOOP" + "x" * 3_000)
    dialogue.socket.close()
    lines = wait_until(lambda: lab.command("explain", "garbled@far.test", check=False).stdout, 5, "no record")
    assert "3 commands were refused" in lines and "500 5.5.1" in lines and "500 5.5.2" in lines and "\x1b" not in lines
    # When they end the session, the same record tells both.
    many = Dialogue(lab.port("smtp"))
    many.send("XYZZY\r\n" * 25)
    replies = [many.reply() for _ in range(22)]
    told = explained(lab, replies[-1])
    assert replies[-1].startswith("421 4.7.0") and "21 commands were refused" in told and "Too many errors" in told


def test_a_message_on_its_way_may_end_before_the_server_does(make_lab):
    lab = make_lab()
    dialogue, idle = begin(lab, lab.user(1), sender="late@far.test"), begin(lab, lab.user(1))
    dialogue("DATA")
    dialogue.send("From: a@far.test\r\n")
    lab.process.send_signal(signal.SIGTERM)
    assert idle.reply().startswith("421 4.3.2")
    with pytest.raises(ConnectionRefusedError):
        Dialogue(lab.port("smtp"))
    dialogue.send("\r\nlate\r\n.\r\n")
    answer = dialogue.reply()
    assert answer.startswith("250 2.0.0"), answer
    assert dialogue.reply().startswith("421 4.3.2") and lab.stop() == 0
    assert "late@far.test" in lab.command("explain", answer.split()[-1]).stdout


def test_a_flood_of_refusals_is_refused_to_the_end_and_writes_a_bounded_number_of_records(make_lab):
    lab = make_lab()
    answers = []
    for number in range(20):
        with begin(lab, sender="flood@far.test") as flood:
            answers += [flood(f"RCPT TO:<nobody{number * 15 + count}@{lab.domain}>") for count in range(15)]
    assert all(answer.startswith("550 5.1.1") for answer in answers)
    assert [" (record " in answer for answer in answers] == [True] * 120 + [False] * 180
    assert "nobody119@" in lab.command("explain", code_of(answers[119])).stdout


def test_a_message_that_the_shutdown_cuts_off_has_a_record(make_lab):
    lab = make_lab("--set", "server.shutdown-patience=1s")
    dialogue = begin(lab, lab.user(1), sender="cut@far.test")
    dialogue("DATA")
    dialogue.send("From: a@far.test\r\n")
    assert lab.stop() == 0
    answer = dialogue.reply()
    assert answer.startswith("421 4.3.2"), answer
    told = lab.command("explain", code_of(answer)).stdout
    assert "in the middle of the message" in told and "cut@far.test" in told and lab.user(1) in told


def test_our_own_address_literal_is_a_name_of_ours(lab):
    assert begin(lab, "postmaster@[127.0.0.1]", "user0001@[127.0.0.1]").message(MESSAGE).startswith("250")
    with Dialogue(lab.port("smtp"), host="::1") as dialogue:
        dialogue("EHLO c.test", "MAIL FROM:<a@far.test>")
        assert dialogue("RCPT TO:<postmaster@[IPv6:0:0::1]>").startswith("250")
        assert dialogue("RCPT TO:<nobody@[IPv6:::1]>").startswith("550 5.1.1")
        assert dialogue("RCPT TO:<postmaster@[192.0.2.1]>").startswith("550 5.7.1")
        assert dialogue("RCPT TO:<postmaster@[127.0.0.1]>").startswith("550 5.7.1")


def test_a_header_of_too_many_lines_is_refused_for_its_lines(lab):
    answer = begin(lab, lab.user(1)).message(b"X: y\r\n" * 6_000 + b"\r\nx")
    assert answer.startswith("552 5.3.4") and "5000 lines" in answer
    answer = begin(lab, lab.user(1)).message((b"X: " + b"y" * 900 + b"\r\n") * 1_300 + b"\r\nx")
    assert answer.startswith("552 5.3.4") and "1048576 octets" in answer


def test_silence_and_slowness_end_with_421_and_a_record(make_lab):
    lab = make_lab("--set", "smtp.command-timeout=10s", "--set", "smtp.data-timeout=10s", "--set", "smtp.min-data-rate=1000")
    idle, dripping, login = (Dialogue(lab.port(service)) for service in ("smtp", "smtp", "submission"))
    silent, slow = (begin(lab, lab.user(1), sender=f"{name}@far.test") for name in ("silent", "slow"))
    login("EHLO c.test", "AUTH LOGIN")
    assert silent("DATA").startswith("354") and slow("DATA").startswith("354")
    silent.send("From: a@far.test\r\n")
    stop = threading.Event()

    def drip():
        try:
            while not stop.wait(0.5):
                slow.send("X-Slow: y\r\n")
                # A line that comes byte by byte is no line.
                dripping.send("N")
        except OSError:
            pass

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        for dialogue in (idle, dripping, login, silent, slow):
            answer = dialogue.reply()
            assert answer.startswith("421 4.4.2"), answer
            told = explained(lab, answer)
            assert ("less than 1000 octets" if dialogue is slow else "silent for too long") in told
            if dialogue is silent:
                assert "silent@far.test" in told
    finally:
        stop.set()
        thread.join()
    assert count(lab, 1) == 0


@pytest.mark.parametrize("tail", ["", "QUIT\r\n"])
def test_a_client_that_closes_its_side_still_gets_its_answers(lab, tail):
    for number in range(10):
        with socket.create_connection(("127.0.0.1", lab.port("smtp")), timeout=10) as client:
            client.recv(999)
            client.sendall(f"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<{lab.user(4)}>\r\nDATA\r\n".encode())
            answer = b""
            while b"354 " not in answer:
                answer += client.recv(9999)
            client.sendall(f"Subject: half {number}\r\n\r\nx\r\n.\r\n{tail}".encode())
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while more := client.recv(9999):
                answer += more
            assert answer.startswith(b"250 2.0.0 Ok"), answer


def test_a_client_that_goes_in_the_middle_of_a_message_leaves_nothing(lab):
    with socket.create_connection(("127.0.0.1", lab.port("smtp")), timeout=10) as client:
        client.recv(999)
        client.sendall(f"EHLO x\r\nMAIL FROM:<gone@b.test>\r\nRCPT TO:<{lab.user(4)}>\r\nDATA\r\n".encode())
        answer = b""
        while b"354 " not in answer:
            answer += client.recv(9999)
        client.sendall(b"Subject: half\r\n\r\nx")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(999) == b""
    wait_until(lambda: "middle of a message" in lab.command("explain", "gone@b.test", check=False).stdout)
