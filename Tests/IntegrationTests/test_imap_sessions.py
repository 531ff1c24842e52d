"""Several IMAP sessions of one account that do what comes, from a seed: each must see the mailbox as it is, at every NOOP.

A session here is a model of a good client: it keeps a list of messages and changes it only as the server's answers say. A wrong
sequence number, an EXPUNGE at the wrong moment, or a change of somebody else that is never told breaks the model.
`MARTLET_SEED=n pytest -k sessions` runs one seed.
"""

import os
import random
import re

import pytest

from test_imap import Raw

STEPS = 250
SEEDS = [int(os.environ["MARTLET_SEED"])] if "MARTLET_SEED" in os.environ else [1, 2, 3, 4, 5, 6, random.SystemRandom().randrange(1_000_000)]


class Session:
    """A client with its view: for each message the UID and the flags, None while it has not been told them."""

    def __init__(self, lab, mailbox, random_):
        self.view = []
        self.log = []
        self.raw = Raw(lab, 1)
        if random_.random() < 0.5:
            self.raw.command("ENABLE CONDSTORE")
        self.command(f"SELECT {mailbox}")
        if random_.random() < 0.5:
            self.command("FETCH 1:* (UID FLAGS)")

    def command(self, text):
        lines = self.raw.command(text)
        self.log = (self.log + [(text, [line[:160] for line in lines])])[-12:]
        assert lines and " BAD " not in lines[-1], self.log
        for line in lines:
            self.take(line, text)
        return lines[-1].split()[1] == "OK"

    def take(self, line, command):
        if match := re.match(r"\* (\d+) EXISTS", line):
            count = int(match[1])
            assert count >= len(self.view), self.log
            self.view += [[None, None] for _ in range(count - len(self.view))]
        elif match := re.match(r"\* (\d+) EXPUNGE", line):
            # RFC 9051 §7.5.1
            assert not re.match("FETCH|STORE|SEARCH", command), self.log
            del self.view[int(match[1]) - 1]
        elif match := re.match(r"\* (\d+) FETCH ", line):
            number = int(match[1])
            assert number <= len(self.view), self.log
            message = self.view[number - 1]
            if uid := re.search(r"UID (\d+)", line):
                assert message[0] in (None, int(uid[1])), self.log
                message[0] = int(uid[1])
            if flags := re.search(r"FLAGS \(([^)]*)\)", line):
                message[1] = frozenset(flags[1].split())

    def store(self, random_, uid, flag, sign):
        silent = random_.choice(["", ".SILENT"])
        place = next((place for place, message in enumerate(self.view) if message[0] == uid), None)
        if place is not None and random_.random() < 0.5:
            done = self.command(f"STORE {place + 1} {sign}FLAGS{silent} ({flag})")
        else:
            done = self.command(f"UID STORE {uid} {sign}FLAGS{silent} ({flag})")
        # What a client that asks not to be told takes as done.
        for message in self.view:
            if silent and done and message[0] == uid and message[1] is not None:
                message[1] = message[1] | {flag} if sign == "+" else message[1] - {flag}

    def check(self, truth):
        assert len(self.view) == len(truth), (self.view, truth, self.log)
        for message, (uid, flags) in zip(self.view, truth):
            assert message[0] in (None, uid) and message[1] in (None, flags), (message, uid, flags, self.log)


def truth(lab, mailbox):
    """UIDs and flags as a session that has just come sees them."""
    raw = Raw(lab, 1)
    raw.command(f"EXAMINE {mailbox}")
    lines = raw.command("UID FETCH 1:* (FLAGS)")
    raw.close()
    found = [re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)", line) for line in lines]
    return [(int(match[1]), frozenset(match[2].split())) for match in found if match]


@pytest.mark.parametrize("seed", SEEDS)
def test_sessions_see_the_mailbox_as_it_is(lab, seed):
    random_ = random.Random(seed)
    mailbox = f"sessions{seed}"
    assert Raw(lab, 1).command(f"CREATE {mailbox}")[-1].split()[1] in ("OK", "NO")
    sessions = [Session(lab, mailbox, random_) for _ in range(3)]
    for _ in range(STEPS):
        number = random_.randrange(3)
        session = sessions[number]
        messages = truth(lab, mailbox)
        choice = random_.random()
        if choice < 0.2:
            session.command(f"APPEND {mailbox} {{6+}}\r\nA: b\r\n")
        elif choice < 0.55 and messages:
            uid, flags = random_.choice(messages)
            flag = random_.choice(["\\Seen", "\\Flagged", "\\Deleted", "kw"])
            # Now and then what is so already: a change that changes nothing.
            sign = random_.choice("+-") if random_.random() < 0.4 else "-" if flag in flags else "+"
            session.store(random_, uid, flag, sign)
        elif 0.55 <= choice < 0.65:
            session.command("EXPUNGE")
        elif 0.65 <= choice < 0.72 and messages:
            session.command(f"UID {random_.choice(['MOVE', 'COPY'])} {random_.choice(messages)[0]} {mailbox}")
        elif 0.72 <= choice < 0.8 and session.view:
            session.command("FETCH 1:* (UID FLAGS)")
        elif 0.8 <= choice < 0.85 and session.view:
            session.command(f"FETCH {random_.randint(1, len(session.view))} (UID BODY[])")
        elif 0.85 <= choice < 0.88:
            session.command("SEARCH ALL")
        elif 0.88 <= choice < 0.9:
            session.raw.close()
            sessions[number] = Session(lab, mailbox, random_)
        elif choice >= 0.9:
            session.command("NOOP")
            session.check(truth(lab, mailbox))
    for session in sessions:
        session.command("NOOP")
        session.check(truth(lab, mailbox))
        session.raw.close()
