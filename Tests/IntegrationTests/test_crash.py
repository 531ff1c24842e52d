"""SIGKILL under load, again and again from a seed: what was acknowledged is there exactly once, and nothing that held is undone."""

import imaplib
import os
import random
import re
import smtplib
import threading
import time

ROUNDS = int(os.environ.get("MARTLET_CRASH_ROUNDS", "100"))


class Senders:
    """Send messages with names of their own until the server is gone; remember which were acknowledged."""

    def __init__(self, lab, round_number, count=4):
        self.acknowledged, self.offered = set(), set()
        self.threads = [threading.Thread(target=self.send, args=(lab, f"r{round_number}t{number}")) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def send(self, lab, prefix):
        try:
            with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=10) as client:
                for number in range(100_000):
                    name = f"{prefix}n{number}"
                    self.offered.add(name)
                    client.sendmail("a@far.test", [lab.user(1)], f"Message-ID: <{name}@far.test>\r\nSubject: {name}\r\n\r\n{'x' * 500}\r\n")
                    self.acknowledged.add(name)
        except (OSError, smtplib.SMTPException):
            pass


class Reader:
    """Flags, moves and expunges messages of user 2; keeps what each is known to be, and what the last command may have made of it."""

    PLACES = ("INBOX", "Archive")

    def __init__(self, state):
        self.state = state  # name -> (place, flagged), place None when expunged
        self.uncertain = {}  # name -> the other possible value

    def work(self, lab, generator):
        try:
            client = imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=10)
            client.login(lab.user(2), lab.password)
            while True:
                candidates = [name for name, (place, _) in self.state.items() if place == "INBOX"]
                client.select("INBOX")
                if len(candidates) < 5:
                    name = f"m{generator.randrange(1 << 48):x}"
                    self.uncertain = {name: ("INBOX", False)}
                    assert client.append("INBOX", None, None, f"Message-ID: <{name}@far.test>\r\n\r\nx\r\n".encode())[0] == "OK"
                    self.state[name] = ("INBOX", False)
                    self.uncertain = {}
                    continue
                name = generator.choice(candidates)
                uid = client.uid("SEARCH", "HEADER", "Message-ID", f"<{name}@far.test>")[1][0].decode()
                place, flagged = self.state[name]
                match generator.randrange(3):
                    case 0:
                        after = (place, not flagged)
                        command = lambda: client.uid("STORE", uid, "-FLAGS" if flagged else "+FLAGS", "(\\Flagged)")
                    case 1:
                        after = ("Archive", flagged)
                        command = lambda: client.uid("MOVE", uid, "Archive")
                    case _:
                        client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
                        after = (None, flagged)
                        command = lambda: client.uid("EXPUNGE", uid)
                self.uncertain = {name: after}
                assert command()[0] == "OK"
                self.state[name] = after
                self.uncertain = {}
        except (OSError, imaplib.IMAP4.error):
            pass

    def check(self, lab):
        found = {}
        with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
            client.login(lab.user(2), lab.password)
            for place in self.PLACES:
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


def names(lab):
    """The names of user 1's messages, as often as they are there."""
    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        client.login(lab.user(1), lab.password)
        if int(client.select("INBOX")[1][0]) == 0:
            return []
        answers = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
        found = [re.search(rb"<(\w+)@", answer[1]).group(1).decode() for answer in answers if isinstance(answer, tuple)]
        client.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")
        client.expunge()
        return found


def test_sigkill_under_load(make_lab):
    seed = int(os.environ.get("MARTLET_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}, {ROUNDS} rounds")
    generator = random.Random(seed)
    lab = make_lab("--open")
    reader = Reader({})
    total = 0
    for number in range(ROUNDS):
        senders = Senders(lab, number)
        reading = threading.Thread(target=reader.work, args=(lab, generator))
        reading.start()
        time.sleep(generator.uniform(0.02, 0.4))
        lab.kill()
        for thread in [*senders.threads, reading]:
            thread.join(timeout=20)
        lab.start()
        found = names(lab)
        assert len(found) == len(set(found)), f"seed {seed}, round {number}: a message is there twice"
        missing = senders.acknowledged - set(found)
        assert not missing, f"seed {seed}, round {number}: {len(missing)} acknowledged messages are missing"
        assert set(found) <= senders.offered
        reader.check(lab)
        total += len(senders.acknowledged)
    assert lab.command("ledger").returncode == 0
    assert lab.command("verify").returncode == 0
    assert total > ROUNDS, "the load was none"
