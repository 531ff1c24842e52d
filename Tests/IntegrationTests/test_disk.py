"""A disk that is full: 452 4.3.1, the server stays up, nothing that was acknowledged is lost.

Read-only disks and failing fsync are injected in test_faults.py: a mount whose files are open cannot be made read-only."""

import imaplib
import os
import smtplib
import subprocess

import pytest
from conftest import Lab, need, run


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no mount here: {done.stderr}")
    yield place
    run("umount", "-l", place)


def send(lab, name, size):
    """The reply's code and text to one message."""
    with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=30) as client:
        client.ehlo()
        client.docmd("MAIL", "FROM:<a@far.test>")
        client.docmd("RCPT", f"TO:<{lab.user(1)}>")
        # Every message differs: equal ones are kept once.
        return client.data(f"Subject: {name}\r\n\r\n" + (name * 8 + "\r\n") * (size // (len(name) * 8 + 2)))


def count(lab):
    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        client.login(lab.user(1), lab.password)
        return int(client.select("INBOX", readonly=True)[1][0])


def fill(lab, size=300_000, limit=400):
    """Sends until the first refusal; gives how many were taken, and the refusal."""
    for number in range(limit):
        code, text = send(lab, f"m{number:05d}", size)
        if code != 250:
            return number, code, text
    raise AssertionError("the disk was never full")


@pytest.mark.parametrize("reserve", ["0", "1MB"])
def test_a_full_disk(binary, small_disk, reserve):
    lab = Lab(small_disk / "state", "--open", "--set", f"store.free-space-reserve={reserve}")
    try:
        taken, code, text = fill(lab)
        assert taken > 3 and code == 452 and b"4.3.1" in text, (taken, code, text)
        assert lab.process.poll() is None
        assert count(lab) == taken
        # IMAP tells it too, and goes on.
        with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
            client.login(lab.user(2), lab.password)
            answer = client.append("INBOX", None, None, b"Subject: x\r\n\r\n" + b"y" * 3_000_000)
            assert answer[0] == "NO", answer
            assert client.noop()[0] == "OK"
        run("mount", "-o", "remount,size=64m", small_disk)
        assert send(lab, "after", 300_000)[0] == 250
        assert count(lab) == taken + 1
        lab.kill()
        lab.start()
        assert count(lab) == taken + 1
        assert lab.command("verify").returncode == 0
    finally:
        lab.kill()


def test_a_disk_that_has_room_for_some_only(binary, small_disk):
    lab = Lab(small_disk / "state", "--open", "--set", "store.free-space-reserve=1MB")
    try:
        assert send(lab, "before", 10_000)[0] == 250
        used = int(subprocess.run(["du", "-sk", str(small_disk)], capture_output=True, text=True).stdout.split()[0])
        run("mount", "-o", f"remount,size={used + 64}k", small_disk)
        code, text = send(lab, "during", 2_000_000)
        assert code == 452 and b"4.3.1" in text
        assert count(lab) == 1
        run("mount", "-o", "remount,size=64m", small_disk)
        assert send(lab, "after", 10_000)[0] == 250
        assert count(lab) == 2
    finally:
        lab.kill()
