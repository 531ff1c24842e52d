"""POP3 through Python's poplib and raw sockets."""

import poplib
import smtplib
import socket

import pytest
from conftest import wait_until


def deliver(lab, number, count=1, body="hello"):
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        for index in range(count):
            client.sendmail("a@far.test", [lab.user(number)], f"Subject: m{index}\r\n\r\n{body} {index}\r\n.dot\r\n")


def connect(lab, number):
    client = poplib.POP3("127.0.0.1", lab.port("pop3"))
    client.user(lab.user(number))
    client.pass_(lab.password)
    return client


def test_a_whole_session_over_every_kind_of_tls(lab):
    deliver(lab, 1, 3)
    plain = poplib.POP3("localhost", lab.port("pop3"))
    plain.stls(context=lab.tls())
    implicit = poplib.POP3_SSL("localhost", lab.port("pop3s"), context=lab.tls())
    for client in (plain, implicit):
        client.user(lab.user(1))
        client.pass_(lab.password)
        count, size = client.stat()
        assert count == 3
        _, lines, octets = client.retr(2)
        assert b"Subject: m1" in lines and b".dot" in lines
        assert sum(int(line.split()[1]) for line in client.list()[1]) == size
        assert sum(len(line) + 2 for line in lines) == int(client.list(2).split()[2])
        header = client.top(1, 0)[1]
        assert b"hello 0" not in header and b"Subject: m0" in header
        client.quit()


def test_deletes_happen_at_quit_only(lab):
    deliver(lab, 2, 4)
    first = connect(lab, 2)
    ids = dict(line.split() for line in first.uidl()[1])
    assert len(set(ids.values())) == 4
    first.dele(1)
    first.sock.close()  # a dropped connection deletes nothing
    second = connect(lab, 2)
    assert second.stat()[0] == 4
    second.dele(2)
    second.rset()
    second.dele(3)
    with pytest.raises(poplib.error_proto):
        second.retr(3)
    second.quit()
    third = connect(lab, 2)
    left = dict(line.split() for line in third.uidl()[1])
    assert list(left.values()) == [ids[b"1"], ids[b"2"], ids[b"4"]], "UIDLs are stable"
    third.quit()


def test_capabilities_and_bad_input(lab):
    client = poplib.POP3("127.0.0.1", lab.port("pop3"))
    names = set(client.capa())
    assert {"STLS", "SASL", "USER", "UIDL", "TOP", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "UTF8", "EXPIRE"} <= names
    with pytest.raises(poplib.error_proto):
        client.stat()
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        client.user(lab.user(1))
        client.pass_("wrong")
    client.close()
    with socket.create_connection(("127.0.0.1", lab.port("pop3")), timeout=10) as raw:
        raw.sendall(b"STLS\r\nCAPA\r\n")
        lines = raw.makefile("rb").read().split(b"\r\n")  # to the end of the stream
        assert lines[1:] == [b"-ERR Nothing may follow STLS before the handshake", b""], lines


def memory(lab):
    """Octets that the server holds now."""
    with open(f"/proc/{lab.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def test_a_client_that_asks_and_never_reads_fills_no_memory(make_lab):
    lab = make_lab()
    before = memory(lab)
    clients = []
    for _ in range(4):
        client = socket.create_connection(("127.0.0.1", lab.port("pop3")), timeout=0.5)
        clients.append(client)
        sent = 0
        try:
            while sent < 20_000_000:
                sent += client.send(b"CAPA\r\n" * 10_000)
        except TimeoutError:
            pass
        assert sent < 20_000_000
    assert memory(lab) - before < 10_000_000
    for client in clients:
        client.close()
    with socket.create_connection(("127.0.0.1", lab.port("pop3")), timeout=10) as other:
        assert other.recv(100).startswith(b"+OK")


@pytest.mark.parametrize("is_quit", [True, False])
def test_a_client_that_closes_its_side_still_gets_its_answers(make_lab, is_quit):
    lab = make_lab()
    deliver(lab, 1, count=20)
    with socket.create_connection(("127.0.0.1", lab.port("pop3")), timeout=10) as client:
        commands = [f"USER {lab.user(1)}", f"PASS {lab.password}", "STAT", *[f"RETR {number}" for number in range(1, 21)], "DELE 1"]
        client.sendall("".join(f"{command}\r\n" for command in commands + ["QUIT"] * is_quit).encode())
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while more := client.recv(9999):
            answer += more
    assert answer.count(b"+OK") == 25 + is_quit and answer.count(b"\r\n.\r\n") == 20, answer[-500:]
    # Deletes happen at QUIT only.
    assert connect(lab, 1).stat()[0] == 20 - is_quit


def test_new_mail_is_there_at_the_next_login(lab):
    deliver(lab, 3)
    wait_until(lambda: connect(lab, 3).stat()[0] == 1)
