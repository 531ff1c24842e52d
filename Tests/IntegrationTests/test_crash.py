"""SIGKILL under load, again and again from a seed: what was acknowledged is there exactly once, and nothing that held is undone.

Power cuts, which also take what was written and not synced, are in test_powercut.py."""

import collections
import imaplib
import json
import os
import random
import re
import smtplib
import socket
import threading
import time

ROUNDS = int(os.environ.get("MARTLET_CRASH_ROUNDS", "100"))


def imap(lab, user):
    client = imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=10)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.login(lab.user(user), lab.password)
    return client


def status(client, place):
    """(UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ)"""
    answer = client.status(place, "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ)")[1][0].decode()
    return tuple(int(re.search(rf"{item} (\d+)", answer).group(1)) for item in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"))


class Job(threading.Thread):
    """A thread that ends when the server does; any other error of its fails the test."""

    def __init__(self, work):
        super().__init__()
        self.work, self.error = work, None
        self.start()

    def run(self):
        try:
            self.work()
        except (OSError, smtplib.SMTPException, imaplib.IMAP4.abort) as error:
            # smtplib tells a refusal by exceptions of its own: it is no end of the connection.
            if isinstance(error, (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)):
                self.error = error
        except BaseException as error:
            self.error = error

    def ended(self):
        self.join(timeout=20)
        assert not self.is_alive(), "a client hangs although the server is gone"
        if self.error is not None:
            raise self.error


class Senders:
    """Send messages with names of their own until the server is gone; remember which were acknowledged."""

    def __init__(self, lab, round_number, count=4):
        self.acknowledged, self.offered = set(), set()
        self.jobs = [Job(lambda prefix=f"r{round_number}t{number}": self.send(lab, prefix)) for number in range(count)]

    def send(self, lab, prefix):
        with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=10) as client:
            for number in range(100_000):
                name = f"{prefix}n{number}"
                self.offered.add(name)
                client.sendmail("a@far.test", [lab.user(1)], f"Message-ID: <{name}@far.test>\r\nSubject: {name}\r\n\r\n{'x' * 500}\r\n")
                self.acknowledged.add(name)


class Reader:
    """Flags, moves and expunges messages of user 2; keeps what each is known to be, and what the last command may have made of it."""

    PLACES = ("INBOX", "Archive")

    def __init__(self):
        self.state = {}  # name -> (place, flagged), place None when expunged
        self.uncertain = {}  # name -> the other possible value
        self.told = {}  # (user, place) -> (UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ) that a client knows of
        self.acknowledged = collections.Counter()
        self.crossed = collections.Counter()  # those that a crash followed
        self.is_ready = threading.Event()

    def hears(self, client, user, place):
        now = status(client, place)
        validity, uid_next, mod_seq = self.told.get((user, place), (now[0], 0, 0))
        assert now[0] == validity, f"UIDVALIDITY of {place} was {validity} and is {now[0]}"
        assert now[1] >= uid_next, f"UIDNEXT of {place} was {uid_next} and is {now[1]}"
        assert now[2] >= mod_seq, f"HIGHESTMODSEQ of {place} was {mod_seq} and is {now[2]}"
        self.told[user, place] = now

    def work(self, lab, generator):
        try:
            client = imap(lab, 2)
            other = imap(lab, 1)
        finally:
            self.is_ready.set()
        while True:
            candidates = [name for name, (place, _) in self.state.items() if place == "INBOX"]
            client.select("INBOX")
            if len(candidates) < 5:
                name = f"m{generator.randrange(1 << 48):x}"
                self.uncertain = {name: ("INBOX", False)}
                answer = client.append("INBOX", None, None, f"Message-ID: <{name}@far.test>\r\n\r\nx\r\n".encode())
                assert answer[0] == "OK", answer
                self.state[name] = ("INBOX", False)
                self.uncertain = {}
                self.acknowledged["append"] += 1
                continue
            name = generator.choice(candidates)
            found = client.uid("SEARCH", "HEADER", "Message-ID", f"<{name}@far.test>")[1][0].split()
            assert len(found) == 1, f"{name} is there {len(found)} times"
            uid = found[0].decode()
            place, flagged = self.state[name]
            action = generator.choice(("flag", "move", "expunge"))
            match action:
                case "flag":
                    after = (place, not flagged)
                    command = lambda: client.uid("STORE", uid, "-FLAGS" if flagged else "+FLAGS", "(\\Flagged)")
                case "move":
                    after = ("Archive", flagged)
                    command = lambda: client.uid("MOVE", uid, "Archive")
                case _:
                    assert client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")[0] == "OK"
                    after = (None, flagged)
                    command = lambda: client.uid("EXPUNGE", uid)
            self.uncertain = {name: after}
            answer = command()
            assert answer[0] == "OK", answer
            self.state[name] = after
            self.uncertain = {}
            self.acknowledged[action] += 1
            self.hears(client, 2, generator.choice(self.PLACES))
            self.hears(other, 1, "INBOX")

    def check(self, lab):
        found = {}
        with imap(lab, 2) as client:
            for place in self.PLACES:
                self.hears(client, 2, place)
                client.select(place, readonly=True)
                for answer in client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1] or []:
                    if isinstance(answer, tuple):
                        name = re.search(rb"<(\w+)@", answer[1]).group(1).decode()
                        assert name not in found, f"{name} is there twice"
                        found[name] = (place, b"\\Flagged" in answer[0])
        for name in set(self.state) | set(found) | set(self.uncertain):
            now = found.get(name, (None, None))
            allowed = [value for value in (self.state.get(name), self.uncertain.get(name)) if value is not None]
            assert any(now == value or (now[0] is None and value[0] is None) for value in allowed) or (
                name not in self.state and now[0] is None
            ), f"{name}: {now}, known {self.state.get(name)}, perhaps {self.uncertain.get(name)}"
            if now[0] is None:
                self.state.pop(name, None)
            else:
                self.state[name] = now
        self.uncertain = {}
        self.crossed.update(self.acknowledged)
        self.acknowledged.clear()


def names(lab, reader):
    """The names of user 1's messages, as often as they are there; they are expunged then."""
    with imap(lab, 1) as client:
        reader.hears(client, 1, "INBOX")
        if int(client.select("INBOX")[1][0]) == 0:
            return []
        answers = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
        found = [re.search(rb"<(\w+)@", answer[1]).group(1).decode() for answer in answers if isinstance(answer, tuple)]
        assert client.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
        assert client.expunge()[0] == "OK"
        return found


def test_sigkill_under_load(make_lab):
    seed = int(os.environ.get("MARTLET_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}, {ROUNDS} rounds")
    generator = random.Random(seed)
    lab = make_lab("--open")
    reader = Reader()
    acknowledged = there = 0
    for number in range(ROUNDS):
        reader.is_ready.clear()
        senders = Senders(lab, number)
        reading = Job(lambda: reader.work(lab, generator))
        # Most crashes come while the reader works, some while it logs in.
        if number % 5:
            reader.is_ready.wait(timeout=20)
        time.sleep(generator.uniform(0.0, 0.25))
        lab.kill()
        for job in [*senders.jobs, reading]:
            job.ended()
        lab.start()
        found = names(lab, reader)
        assert len(found) == len(set(found)), f"seed {seed}, round {number}: a message is there twice"
        missing = senders.acknowledged - set(found)
        assert not missing, f"seed {seed}, round {number}: {len(missing)} acknowledged messages are missing"
        assert set(found) <= senders.offered
        reader.check(lab)
        acknowledged += len(senders.acknowledged)
        there += len(found)
    print(f"{acknowledged} messages acknowledged, {there} there; {dict(reader.crossed)} acknowledged before crashes")
    ledger = json.loads(lab.command("ledger", "--json").stdout)
    assert ledger["holds"] is True
    # What was acknowledged was accepted, and what was accepted was found: in every round at most one more for each sender.
    assert ledger["counted"]["accepted"] == ledger["counted"]["delivered"] == there
    assert acknowledged <= there <= acknowledged + 4 * ROUNDS
    assert lab.command("verify").returncode == 0
    assert acknowledged > ROUNDS, "the load was none"
    for action in ("append", "flag", "move", "expunge"):
        assert reader.crossed[action] > ROUNDS // 4, f"{action} was hardly exercised: {reader.crossed}"


def test_an_error_in_a_thread_is_seen():
    """The proof of the proof."""

    def fails():
        raise AssertionError("seen")

    def refused():
        raise smtplib.SMTPDataError(452, b"4.3.1 no")

    def ends():
        raise ConnectionResetError

    for work, error in ((fails, AssertionError), (refused, smtplib.SMTPDataError)):
        job = Job(work)
        try:
            job.ended()
        except error:
            continue
        raise AssertionError(f"{error} was lost")
    Job(ends).ended()
