"""Disks that fail under the running server, by preload/fault.c: EIO from fsync, ENOSPC, EROFS, each while it lasts.

The sender is told to come again (452 4.3.1), an IMAP client gets NO, reading goes on, and when the fault ends all is as before:
nothing that was acknowledged is lost, nothing that was refused is there, no flag is other than was answered."""

import imaplib
import re
import smtplib

import pytest

SMALL, LARGE = 3_000, 400_000  # the second is above the store's spool threshold
FAULTS = {
    "EIO on fdatasync of segments": ["sync .seg EIO before"],
    "EIO on fdatasync of segments after it was done": ["sync .seg EIO after"],
    "EIO on fsync of the WAL": ["sync -wal EIO before"],
    "EIO on fsync of the WAL after it was done": ["sync -wal EIO after"],
    "ENOSPC on writing": ["write /store/ ENOSPC before"],
    "ENOSPC on writing, short writes first": ["write /store/ ENOSPC half"],
    "ENOSPC on writing the WAL alone, short writes first": ["write -wal ENOSPC half"],
    "EIO on writing segments alone": ["write .seg EIO before"],
    "EROFS": ["change /store/ EROFS before", "sync /store/ EROFS before"],
}


class Disk:
    def __init__(self, path):
        self.path = path
        self.fault()

    def fault(self, *lines):
        new = self.path.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in lines))
        new.rename(self.path)


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path / "control")


@pytest.fixture
def faulty_lab(make_lab, preload, disk):
    return make_lab("--open", environment={"LD_PRELOAD": str(preload("fault")), "FAULT_CONTROL": str(disk.path)})


def content(name, size):
    text = f"Message-ID: <{name}@far.test>\r\nSubject: {name}\r\n\r\n" + (name * (70 // len(name)) + "\r\n") * (size // 70)
    return text.encode()


def send(lab, name, size):
    """The reply's code and text to one message to user 1."""
    with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=30) as client:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@far.test>")[0] == 250
        code, text = client.docmd("RCPT", f"TO:<{lab.user(1)}>")
        if code != 250:
            return code, text
        return client.data(content(name, size))


def imap(lab, user):
    client = imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=30)
    client.login(lab.user(user), lab.password)
    return client


def append(client, name, size):
    return client.append("INBOX", None, None, content(name, size))


def mailbox(lab, user):
    """name -> flags, of messages whose octets are right; fails when one is there twice."""
    with imap(lab, user) as client:
        found = {}
        if int(client.select("INBOX", readonly=True)[1][0]) == 0:
            return found
        kind, answers = client.fetch("1:*", "(FLAGS BODY.PEEK[])")
        assert kind == "OK", answers
        for answer in answers:
            if isinstance(answer, tuple):
                name = re.search(rb"^Message-ID: <(\w+)@", answer[1], re.MULTILINE).group(1).decode()
                assert name not in found, f"{name} is there twice"
                octets = answer[1][answer[1].index(b"Message-ID:") :]
                assert octets in (content(name, SMALL), content(name, LARGE)), f"{name} has other octets"
                found[name] = frozenset(re.search(rb"FLAGS \(([^)]*)\)", answer[0]).group(1).decode().split()) - {"\\Recent"}
        return found


def assert_sound(lab):
    for command in ("verify", "ledger"):
        done = lab.command(command, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_disk(faulty_lab, disk, fault):
    lab, lines = faulty_lab, FAULTS[fault]
    rows_fail = not all(".seg" in line for line in lines)
    delivered, kept = set(), {}
    for number in range(3):
        assert send(lab, f"before{number}", SMALL)[0] == 250
        delivered.add(f"before{number}")
    client = imap(lab, 2)
    for number in range(3):
        assert append(client, f"kept{number}", SMALL)[0] == "OK"
        kept[f"kept{number}"] = frozenset()
    client.select("INBOX")
    assert client.store("1", "+FLAGS", "(\\Answered)")[0] == "OK"
    kept["kept0"] = frozenset({"\\Answered"})

    for turn in range(2):  # a fault that comes back finds the server as ready as the first time
        disk.fault(*lines)
        for size in (SMALL, LARGE):
            code, text = send(lab, f"during{turn}s{size}", size)
            assert code == 452 and b"4.3.1" in text, (code, text)
            answer = append(client, f"notkept{turn}s{size}", size)
            assert answer[0] == "NO", answer
        for change in (
            lambda: client.store("1", "+FLAGS", "(\\Flagged)"),
            lambda: client.store("1", "-FLAGS", "(\\Answered)"),
            lambda: client.uid("MOVE", "1", "Archive"),
            lambda: client.create(f"new{turn}"),
        ):
            if rows_fail:
                assert change()[0] == "NO"
        # Reading goes on, in this session and in a new one, and shows what was before.
        assert lab.process.poll() is None
        assert client.noop()[0] == "OK"
        assert mailbox(lab, 1).keys() == delivered
        assert mailbox(lab, 2) == kept
        disk.fault()
        for size in (SMALL, LARGE):
            assert send(lab, f"after{turn}s{size}", size)[0] == 250
            delivered.add(f"after{turn}s{size}")
            assert append(client, f"after{turn}s{size}", size)[0] == "OK"
            kept[f"after{turn}s{size}"] = frozenset()
        assert client.store("2", "+FLAGS", "(\\Flagged)")[0] == "OK"
        kept["kept1"] = frozenset({"\\Flagged"})
        # What was refused is sent again, and is there once.
        assert send(lab, f"during{turn}s{SMALL}", SMALL)[0] == 250
        delivered.add(f"during{turn}s{SMALL}")
        assert mailbox(lab, 1).keys() == delivered
        assert mailbox(lab, 2) == kept
        assert_sound(lab)

    lab.kill()
    lab.start()
    assert mailbox(lab, 1).keys() == delivered
    assert mailbox(lab, 2) == kept
    assert_sound(lab)


@pytest.mark.parametrize("fault", FAULTS)
def test_killed_while_the_disk_fails(faulty_lab, disk, fault):
    """After a restart what was acknowledged is there; what was refused is not there in part, and not twice."""
    lab = faulty_lab
    assert send(lab, "before", SMALL)[0] == 250
    disk.fault(*FAULTS[fault])
    assert send(lab, "refused", SMALL)[0] == 452
    assert send(lab, "refusedlarge", LARGE)[0] == 452
    lab.kill()
    disk.fault()
    lab.start()
    found = set(mailbox(lab, 1))
    assert "before" in found and found <= {"before", "refused", "refusedlarge"}
    assert_sound(lab)
    for name in ("refused", "refusedlarge"):
        if name not in found:
            assert send(lab, name, SMALL)[0] == 250
    assert mailbox(lab, 1).keys() == {"before", "refused", "refusedlarge"}
    assert_sound(lab)


def test_a_refused_commit_is_undone_before_the_fault_is_forgotten(faulty_lab, disk):
    """Its fsync failed once, and was done all the same. With the next thing that is acknowledged, a crash cannot bring it back."""
    lab = faulty_lab
    assert send(lab, "before", SMALL)[0] == 250
    client = imap(lab, 1)
    client.select("INBOX")
    disk.fault("sync -wal EIO after")
    assert append(client, "refused", SMALL)[0] == "NO"
    assert client.uid("MOVE", "1", "Archive")[0] == "NO"
    disk.fault()
    assert client.store("1", "+FLAGS", "(\\Flagged)")[0] == "OK"
    lab.kill()
    lab.start()
    assert mailbox(lab, 1) == {"before": frozenset({"\\Flagged"})}
    assert_sound(lab)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize(
    "killed", ["sync .seg KILL after", "sync -wal KILL before", "sync -wal KILL after", "write .seg KILL half", "write -wal KILL half"]
)
def test_a_commit_that_was_written_and_refused_does_not_come_back_damaged(faulty_lab, disk, killed, size):
    """The WAL's fsync says EIO after all was written; the next message is on its way to the same place when the server is killed.
    The rows of the first may be found by recovery: then its octets are there too."""
    lab = faulty_lab
    assert send(lab, "before", SMALL)[0] == 250
    client = imap(lab, 1)
    disk.fault("sync -wal EIO after")
    assert append(client, "refused", SMALL)[0] == "NO"
    disk.fault(killed)
    with pytest.raises((OSError, imaplib.IMAP4.error)):
        append(client, "next", size)
        assert append(client, "later", size)[0] == "never"
    lab.process.wait(timeout=30)
    disk.fault()
    lab.kill()
    lab.start()
    found = set(mailbox(lab, 1))
    assert "before" in found and found <= {"before", "refused", "next"}
    # Once the server goes on to another message, the failed commit is undone for good.
    assert "refused" not in found or "-wal" in killed
    assert_sound(lab)
    assert send(lab, "after", SMALL)[0] == 250
    assert mailbox(lab, 1).keys() == found | {"after"}
    assert_sound(lab)


def test_a_read_only_disk_from_the_start_of_reading(faulty_lab, disk):
    """Messages in segment files that this server has not opened before can be read on a read-only disk too."""
    lab = faulty_lab
    assert send(lab, "old", SMALL)[0] == 250
    # A segment whose sync failed is not written again: the next message stands in another.
    disk.fault("sync .seg EIO before")
    assert send(lab, "refused", SMALL)[0] == 452
    disk.fault()
    assert send(lab, "new", SMALL)[0] == 250
    assert len(list((lab.directory / "store/blobs").glob("*.seg"))) == 2
    lab.kill()
    lab.start()
    disk.fault(*FAULTS["EROFS"])
    assert mailbox(lab, 1).keys() == {"old", "new"}


def test_the_faults_reach_the_calls(faulty_lab, disk):
    """The proof of the proof: each fault alone makes a message fail, and without one it is taken."""
    lab = faulty_lab
    for number, lines in enumerate(FAULTS.values()):
        for line in lines:
            if line.startswith("sync /store/"):
                continue
            disk.fault(line)
            assert send(lab, f"x{number}", SMALL)[0] == 452, line
            disk.fault()
            assert send(lab, f"y{number}", SMALL)[0] == 250


def test_files_that_take_a_few_octets_at_a_time_are_written_whole(make_lab, preload, disk):
    disk.fault("write .new EIO short")
    lab = make_lab(environment={"LD_PRELOAD": str(preload("fault")), "FAULT_CONTROL": str(disk.path)})
    for name in ("ca.pem", "tls/ca-key.pem", "tls/server.pem", "tls/server-key.pem"):
        text = (lab.directory / name).read_text()
        assert text.startswith("-----BEGIN ") and text.endswith("-----\n"), name
    with smtplib.SMTP("localhost", lab.port("smtp"), timeout=30) as client:
        client.starttls(context=lab.tls())
