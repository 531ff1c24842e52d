"""The store's own checks through the command line: books that do not balance, octets and rows that are damaged, a store from the
future, an account that goes while mail for it comes in, and refused mail that leaves nothing behind."""

import hashlib
import imaplib
import json
import re
import smtplib
import sqlite3

import pytest

MESSAGE = "Message-ID: <{0}@far.test>\r\nSubject: {0}\r\n\r\n{0} says hello\r\n"


def send(lab, user, name, size=0):
    """The reply to one message; its text ends with the code for `explain`."""
    with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=30) as client:
        client.ehlo()
        client.docmd("MAIL", "FROM:<a@far.test>")
        code, text = client.docmd("RCPT", f"TO:<{lab.user(user)}>")
        return client.data(MESSAGE.format(name) + (name * 9 + "\r\n") * (size // len(name) // 9)) if code == 250 else (code, text)


def rows(lab, *statements):
    """Changes the database of a lab that does not run."""
    database = sqlite3.connect(lab.directory / "store/store.db")
    with database:
        for statement in statements:
            changed = database.execute(*statement).rowcount
            assert changed > 0, statement
    database.close()


def row(lab, statement, *values):
    database = sqlite3.connect(lab.directory / "store/store.db")
    try:
        return database.execute(statement, values).fetchone()
    finally:
        database.close()


def subjects(lab, user):
    """Subjects of the messages that are served whole; the others are refused one by one."""
    found = []
    with imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=30) as client:
        client.login(lab.user(user), lab.password)
        for number in range(1, int(client.select("INBOX", readonly=True)[1][0]) + 1):
            kind, answers = client.fetch(str(number), "(BODY.PEEK[])")
            for answer in answers:
                if kind == "OK" and isinstance(answer, tuple):
                    name = re.search(rb"Subject: (\w+)", answer[1]).group(1).decode()
                    assert answer[1].endswith(MESSAGE.format(name).encode()), "damaged octets were served"
                    found.append(name)
    return found


def fails(lab, command, *words):
    """The command ends with 1, not by a crash, and its output has the words."""
    done = lab.command(*command.split(), check=False)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert re.search(word, done.stdout + done.stderr), (word, done.stdout, done.stderr)
    return done.stdout


# MARK: Books and bytes


@pytest.mark.parametrize("entry", ["accepted", "delivered"])
@pytest.mark.parametrize("by", [1, -1])
def test_a_ledger_that_was_tampered_with(make_lab, entry, by):
    lab = make_lab()
    for number in range(3):
        assert send(lab, 1, f"m{number}")[0] == 250
    lab.stop()
    assert "holds" in lab.command("ledger").stdout
    rows(lab, ("UPDATE ledger SET count = count + ? WHERE entry = ?", (by, entry)))
    shown = fails(lab, "ledger", "DOES NOT HOLD")
    assert re.search(rf"{entry} +{3 + by} +3\b", shown), shown
    # The same while the server runs, and for programs.
    lab.start()
    fails(lab, "ledger", "DOES NOT HOLD")
    assert json.loads(fails(lab, "ledger --json"))["holds"] is False
    fails(lab, "verify", "ledger")


def test_a_record_that_was_taken_away(make_lab):
    lab = make_lab()
    code = send(lab, 1, "m1")[1].decode().split()[-1]
    send(lab, 1, "m2")
    lab.command("explain", code)
    lab.stop()
    rows(lab, ("DELETE FROM records WHERE code = (SELECT min(code) FROM records WHERE accepted = 1)", ()))
    fails(lab, "ledger", "DOES NOT HOLD")


@pytest.mark.parametrize("counter", ["messages", "unseen", "size"])
def test_a_mailbox_counter_that_was_tampered_with(make_lab, counter):
    lab = make_lab()
    send(lab, 1, "m1")
    lab.stop()
    rows(lab, (f"UPDATE mailboxes SET {counter} = {counter} + 1 WHERE messages = 1", ()))
    fails(lab, "verify", "INBOX", f"counter of {counter}")


@pytest.mark.parametrize("field", ["header", "table", "content", "all"])
def test_damaged_octets_are_reported_and_not_served(make_lab, field):
    lab = make_lab()
    for name in ("first", "second", "third"):
        assert send(lab, 1, name)[0] == 250
    lab.stop()
    segment, place, length = row(lab, "SELECT segment, place, length FROM blobs ORDER BY place LIMIT 1 OFFSET 1")
    with open(lab.directory / f"store/blobs/{segment:06d}.seg", "r+b") as file:
        start, size = {"header": (20, 1), "table": (64, 1), "content": (68 + length - 5, 1), "all": (0, 68 + length)}[field]
        file.seek(place + start)
        octets = file.read(size)
        file.seek(place + start)
        file.write(bytes(octet ^ 0x20 for octet in octets))
    fails(lab, "verify", r"000001\.seg", "1 FAULT")
    lab.start()
    assert subjects(lab, 1) == ["first", "third"]
    fails(lab, "verify", r"000001\.seg")
    assert lab.process.poll() is None
    assert send(lab, 1, "fourth")[0] == 250


def test_a_segment_that_is_cut_off_or_missing(make_lab):
    lab = make_lab()
    for name in ("first", "second"):
        assert send(lab, 1, name)[0] == 250
    lab.stop()
    path = lab.directory / "store/blobs/000001.seg"
    place, length = row(lab, "SELECT place, length FROM blobs ORDER BY place LIMIT 1 OFFSET 1")
    octets = path.read_bytes()
    path.write_bytes(octets[: place + 70])
    fails(lab, "verify", r"000001\.seg")
    lab.start()
    assert subjects(lab, 1) == ["first"]
    assert send(lab, 1, "third")[0] == 250
    assert subjects(lab, 1) == ["first", "third"]
    fails(lab, "verify", "1 FAULT")
    lab.stop()
    path.unlink()
    fails(lab, "verify", r"000001\.seg")
    lab.start()
    assert subjects(lab, 1) == []
    assert lab.process.poll() is None


HUGE = 9_223_372_036_854_775_000


@pytest.mark.parametrize(
    "column, value",
    [("length", -5), ("length", -(1 << 63)), ("length", 0), ("length", 1 << 40), ("length", HUGE), ("length", (1 << 63) - 1)]
    + [("place", -8), ("place", HUGE), ("place", -(1 << 63)), ("segment", 77), ("segment", -1), ("segment", HUGE), ("refs", -3)],
)
def test_a_damaged_row_of_a_blob_crashes_nothing(make_lab, column, value):
    lab = make_lab()
    for name in ("first", "second", "third"):
        assert send(lab, 1, name)[0] == 250
    lab.stop()
    blob = row(lab, "SELECT blob FROM blobs ORDER BY place LIMIT 1 OFFSET 1")[0]
    rows(lab, (f"UPDATE blobs SET {column} = ? WHERE blob = ?", (value, blob)))
    fails(lab, "verify", "FAULT")
    lab.start()
    found = subjects(lab, 1)
    assert found == (["first", "second", "third"] if column == "refs" else ["first", "third"])
    with imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=30) as client:
        client.login(lab.user(1), lab.password)
        client.select("INBOX", readonly=True)
        # Parts, sizes and a search read the octets in other ways.
        for part in ("BODY.PEEK[TEXT]<0.5>", "BODY.PEEK[1]", "BINARY.SIZE[1]", "RFC822.SIZE BODYSTRUCTURE", "BODY.PEEK[]<100.1000000>"):
            client.fetch("2", f"({part})")
        assert client.search(None, "BODY", "hello")[0] in ("OK", "NO")
    fails(lab, "verify", "FAULT")
    assert lab.process.poll() is None, "the server crashed"
    assert send(lab, 1, "fourth")[0] == 250


@pytest.mark.parametrize(
    "column, value",
    [("size", -1), ("size", (1 << 63) - 1), ("blob", b"short"), ("uid", -4), ("modseq", (1 << 63) - 1), ("flags", -1)],
)
def test_a_damaged_row_of_a_message_crashes_nothing(make_lab, column, value):
    lab = make_lab()
    for name in ("first", "second", "third"):
        assert send(lab, 1, name)[0] == 250
    lab.stop()
    rows(lab, (f"UPDATE messages SET {column} = ? WHERE uid = 2", (value,)))
    lab.command("verify", check=False)
    lab.start()
    try:
        subjects(lab, 1)
    except (imaplib.IMAP4.error, AttributeError, AssertionError):
        pass  # that it is told somehow is enough here
    assert lab.process.poll() is None, "the server crashed"
    verified = lab.command("verify", check=False)
    assert verified.returncode == 1 or column in ("flags",), verified.stdout
    assert send(lab, 2, "fourth")[0] == 250


# MARK: A newer store


def state(lab):
    """Name and digest of every file of the store but SQLite's shared memory and the lock."""
    return {
        path.relative_to(lab.directory): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (lab.directory / "store").rglob("*")
        if path.is_file() and path.name != "lock" and not path.name.endswith(("-shm", "-wal"))
    }


def test_a_newer_store_is_refused(make_lab):
    lab = make_lab()
    assert send(lab, 1, "m1")[0] == 250
    lab.stop()
    version = row(lab, "PRAGMA user_version")[0]
    database = sqlite3.connect(lab.directory / "store/store.db")
    database.execute(f"PRAGMA user_version = {version + 1}")
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    before = state(lab)
    with pytest.raises(RuntimeError) as failure:
        lab.start()
    assert f"version {version + 1}" in str(failure.value) and "newer" in str(failure.value)
    assert lab.process.wait(timeout=30) in (2, 3)
    for command in ("verify", "ledger", "account list"):
        done = lab.command(*command.split(), check=False)
        assert done.returncode in (2, 3), (command, done)
        assert f"version {version + 1}" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert state(lab) == before
    assert row(lab, "PRAGMA user_version")[0] == version + 1
    rows_before = row(lab, "SELECT count(*) FROM messages")
    database = sqlite3.connect(lab.directory / "store/store.db")
    database.execute(f"PRAGMA user_version = {version}")
    database.commit()
    database.close()
    lab.start()
    assert subjects(lab, 1) == ["m1"] and rows_before == (1,)


# MARK: An account that goes


def remove(lab, address):
    lab.command("account", "remove", address, "--yes")


def add(lab, address):
    lab.command("account", "add", address, "--password-stdin", stdin="a password of some length\n")


def explained(lab, text, *words):
    """The reply names a record, and `explain` tells of it."""
    code = re.search(r"\b(?=[0-9A-Z]*[0-9])[0-9A-Z]{13}\b", text.decode())
    assert code, f"no code in {text}"
    done = lab.command("explain", code.group(), check=False)
    assert done.returncode == 0, (text, done.stdout, done.stderr)
    for word in words:
        assert word in done.stdout, (word, done.stdout)


@pytest.mark.parametrize("size", [100, 500_000])
def test_an_account_removed_between_rcpt_and_data(make_lab, size):
    lab = make_lab()
    gone = f"gone@{lab.domain}"
    add(lab, gone)
    body = "Message-ID: <lost@far.test>\r\nSubject: lost\r\n\r\n" + "hello\r\n" * (size // 7)
    with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=30) as client:
        client.ehlo()
        client.docmd("MAIL", "FROM:<a@far.test>")
        assert client.docmd("RCPT", f"TO:<{gone}>")[0] == 250
        remove(lab, gone)
        code, text = client.data(body)
        assert code == 550, f"a message for nobody got {code} {text}"
        explained(lab, text, gone)
        # The connection goes on.
        client.docmd("MAIL", "FROM:<a@far.test>")
        assert client.docmd("RCPT", f"TO:<{gone}>")[0] == 550
        assert client.docmd("RCPT", f"TO:<{lab.user(1)}>")[0] == 250
        assert client.data(MESSAGE.format("next"))[0] == 250
    assert subjects(lab, 1) == ["next"]
    assert lab.command("ledger").returncode == 0
    assert lab.command("verify").returncode == 0


def test_one_of_two_accounts_removed_between_rcpt_and_data(make_lab):
    """One reply for both (RFC 5321 §4.2.5): the message is kept for the one that is there, and the record tells of the other; or
    neither has it, and the reply is no 250."""
    lab = make_lab()
    gone = f"gone@{lab.domain}"
    add(lab, gone)
    with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=30) as client:
        client.ehlo()
        client.docmd("MAIL", "FROM:<a@far.test>")
        client.docmd("RCPT", f"TO:<{gone}>")
        client.docmd("RCPT", f"TO:<{lab.user(1)}>")
        remove(lab, gone)
        code, text = client.data(MESSAGE.format("both"))
    assert subjects(lab, 1) == (["both"] if code == 250 else [])
    explained(lab, text, gone)
    ledger = json.loads(lab.command("ledger", "--json").stdout)["counted"]
    assert ledger["accepted"] == sum(ledger[entry] for entry in ("delivered", "relayed", "bounced", "queued", "discarded"))
    assert lab.command("verify").returncode == 0


def test_an_account_removed_between_rcpt_and_data_of_lmtp(make_lab, tmp_path):
    socket_path = tmp_path / "lmtp.sock"
    lab = make_lab("--set", f"listeners.lmtp={socket_path}")
    gone = f"gone@{lab.domain}"
    add(lab, gone)
    with smtplib.LMTP(str(socket_path)) as client:
        client.ehlo("relay.test")
        client.docmd("MAIL", "FROM:<a@far.test>")
        assert client.docmd("RCPT", f"TO:<{gone}>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{lab.user(1)}>")[0] == 250
        remove(lab, gone)
        assert client.docmd("DATA")[0] == 354
        client.send(MESSAGE.format("both").encode() + b".\r\n")
        # A reply for each recipient, in order (RFC 2033 §4.2).
        code, text = client.getreply()
        assert code in (452, 550), f"a message for nobody got {code} {text}"
        explained(lab, text, gone)
        assert client.getreply()[0] == 250
        # Alone.
        add(lab, gone)
        client.docmd("MAIL", "FROM:<a@far.test>")
        assert client.docmd("RCPT", f"TO:<{gone}>")[0] == 250
        remove(lab, gone)
        assert client.docmd("DATA")[0] == 354
        client.send(MESSAGE.format("alone").encode() + b".\r\n")
        code, text = client.getreply()
        assert code in (452, 550), f"a message for nobody got {code} {text}"
        explained(lab, text, gone)
    assert subjects(lab, 1) == ["both"]
    assert lab.command("ledger").returncode == 0
    assert lab.command("verify").returncode == 0


def test_an_account_removed_under_an_open_imap_session(make_lab):
    lab = make_lab()
    gone = f"gone@{lab.domain}"
    add(lab, gone)
    client = imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=30)
    client.login(gone, "a password of some length")
    client.select("INBOX")
    remove(lab, gone)
    try:
        assert client.append("INBOX", None, None, MESSAGE.format("lost").encode())[0] == "NO"
    except imaplib.IMAP4.abort:
        pass  # it was sent away
    assert send(lab, 1, "m1")[0] == 250
    assert lab.command("verify").returncode == 0


# MARK: What was refused takes no room


def segment_octets(lab):
    return {path.name: path.stat().st_size for path in (lab.directory / "store/blobs").glob("*.seg")}


def test_refused_appends_take_no_room_on_the_disk(make_lab):
    lab = make_lab()
    lab.command("account", "set", lab.user(2), "--quota", "100KB")
    assert send(lab, 1, "m1")[0] == 250
    before = segment_octets(lab)
    with imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=30) as client:
        client.login(lab.user(2), lab.password)
        for number in range(20):
            # Small enough for memory, and large enough for the spool, in turn.
            size = 150_000 if number % 2 else 700_000
            content = f"Subject: {number}\r\n\r\n" + (f"{number:02d}" * 39 + "\r\n") * (size // 80)
            kind, answer = client.append("INBOX", None, None, content.encode())
            assert kind == "NO" and b"OVERQUOTA" in answer[0], answer
    assert segment_octets(lab) == before
    assert list((lab.directory / "store/spool").iterdir()) == []
    assert "0 B no longer in use" in lab.command("verify").stdout


def test_refused_lmtp_messages_take_no_room_on_the_disk(make_lab, tmp_path):
    socket_path = tmp_path / "lmtp.sock"
    lab = make_lab("--open", "--set", f"listeners.lmtp={socket_path}")
    lab.command("account", "set", lab.user(2), "--quota", "100KB")
    assert send(lab, 1, "m1")[0] == 250
    before = segment_octets(lab)
    with smtplib.LMTP(str(socket_path)) as client:
        client.ehlo("relay.test")
        for number in range(20):
            size = 150_000 if number % 2 else 700_000
            client.docmd("MAIL", "FROM:<a@far.test>")
            assert client.docmd("RCPT", f"TO:<{lab.user(2)}>")[0] == 250
            code, text = client.data(f"Subject: {number}\r\n\r\n" + (f"{number:02d}" * 39 + "\r\n") * (size // 80))
            assert code == 452 and b"4.2.2" in text, (code, text)
            if number == 0:
                explained(lab, text, lab.user(2))
    assert segment_octets(lab) == before
    assert list((lab.directory / "store/spool").iterdir()) == []
    assert "0 B no longer in use" in lab.command("verify").stdout
    # One that is taken for another recipient is kept once.
    with smtplib.LMTP(str(socket_path)) as client:
        client.ehlo("relay.test")
        client.docmd("MAIL", "FROM:<a@far.test>")
        client.docmd("RCPT", f"TO:<{lab.user(2)}>")
        client.docmd("RCPT", f"TO:<{lab.user(1)}>")
        client.docmd("DATA")
        client.send(b"Subject: x\r\n\r\n" + (b"z" * 78 + b"\r\n") * 2_500 + b".\r\n")
        assert [client.getreply()[0], client.getreply()[0]] == [452, 250]
    assert sum(segment_octets(lab).values()) < sum(before.values()) + 210_000
