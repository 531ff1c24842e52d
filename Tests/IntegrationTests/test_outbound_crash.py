"""SIGKILL while mail leaves, again and again from a seed: every message that was acknowledged arrives or comes back, once.

The one exception is SMTP's own (RFC 5321 §4.5.3.2.6): when the sender dies between the other server's 250 and its own commit, the
message goes out again. Those are counted, and each is shown to be one."""

import collections
import email
import imaplib
import json
import os
import random
import re
import signal
import smtplib
import socket
import threading
import time

import pytest
from test_outbound import FAST

ROUNDS = int(os.environ.get("MARTLET_RELAY_CRASH_ROUNDS", "100"))
# What is open when a process dies: as many transactions as it does at a time (queue.max-deliveries-per-destination, two destinations), and
# for no longer than a commit takes. A first copy from before that was to be committed.
AT_ONCE = 40
WINDOW = 1.0
DOMAINS = ("other.test", "third.test")
SENDERS = 3
STAGES = ("greeting", "ehlo", "mail", "rcpt", "data", "dot", "before", "after")


class Taken:
    """A recipient's copy that the receiver took: from which process (counted from 0), in which of all transactions, when, and whether the
    process was told so."""

    def __init__(self, address, process, transaction):
        self.address, self.process, self.transaction = address, process, transaction
        self.at = time.monotonic()
        self.is_told = False


class Killer:
    """Kills the server at a stage of the receiver's dialogue, at the so-and-so-manyth of these; once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kills = {}  # process -> (when, stage)
        self.arm(None, 0, None, 0)

    def arm(self, process, number, stage, count):
        with self.lock:
            self.process, self.number, self.stage, self.count = process, number, stage, count
            self.is_done = threading.Event()

    def passes(self, stage):
        """Whether the server was killed here; it is dead then."""
        with self.lock:
            if stage != self.stage or self.is_done.is_set():
                return False
            self.count -= 1
            if self.count > 0:
                return False
            self.kill(stage)
            return True

    def kill(self, stage):
        self.process.send_signal(signal.SIGKILL)
        self.kills[self.number] = (time.monotonic(), stage)
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        self.is_done.set()

    def kill_now(self):
        with self.lock:
            if not self.is_done.is_set():
                self.kill("any")


class Receiver:
    """Takes mail as the addresses and the messages say (see `Submission`), and fails at any stage in some of the connections."""

    def __init__(self, killer, seed):
        self.killer = killer
        self.seed = seed
        self.is_calm = False
        self.process = 0
        self.connections = 0
        self.taken = []
        self.transactions = 0
        self.deferred = collections.Counter()
        self.replies = collections.Counter()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection, self.connections, self.process), daemon=True).start()

    def serve(self, connection, number, process):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(30)
            try:
                self.talk(connection.makefile("rwb"), number, process)
            except (OSError, EOFError, ValueError):
                pass

    def talk(self, stream, number, process):
        generator = random.Random(f"{self.seed}/{number}")
        # Now and then a connection goes wrong at one stage: it is dropped or the server says that it is going down.
        faulty = generator.choice(STAGES[:6]) if generator.random() < 0.15 else None
        fault = generator.choice(("drop", "421 4.3.2 going down"))

        def say(stage, reply):
            if stage and self.killer.passes(stage):
                raise EOFError
            if stage and stage == faulty and not self.is_calm:
                self.replies[f"{fault[:4]} {stage}"] += 1
                if fault == "drop":
                    raise EOFError
                reply = fault
            self.replies[reply[:3]] += 1
            stream.write(f"{reply}\r\n".encode())
            stream.flush()
            if reply.startswith("421"):
                raise EOFError
            return reply

        def line():
            octets = stream.readline()
            if not octets.endswith(b"\n"):
                raise EOFError
            return octets

        recipients = []
        say("greeting", "220 receiver.test ESMTP")
        while True:
            command = line().decode().strip()
            verb = command.split(" ")[0].upper()
            if verb == "EHLO":
                say("ehlo", "250-receiver.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000")
            elif verb == "MAIL":
                recipients = []
                say("mail", "250 2.1.0 ok")
            elif verb == "RCPT":
                address = re.search("<(.*?)>", command).group(1)
                if say("rcpt", self.recipient(address)).startswith("250"):
                    recipients.append(address)
            elif verb == "DATA" and not recipients:
                say(None, "554 5.5.1 no valid recipients")
            elif verb == "DATA":
                say("data", "354 go on")
                content = b""
                while (octets := line()) != b".\r\n":
                    content += octets
                reply = self.message(content)
                if not reply.startswith("250"):
                    say("dot", reply)
                    continue
                if self.killer.passes("dot") or (faulty == "dot" and not self.is_calm):
                    raise EOFError
                with self.lock:
                    self.transactions += 1
                    copies = [Taken(address, process, (self.port, self.transactions)) for address in recipients]
                    self.taken += copies
                self.killer.passes("before")
                say(None, reply)
                for copy in copies:
                    copy.at = time.monotonic()
                    copy.is_told = process not in self.killer.kills
                self.killer.passes("after")
            elif verb == "RSET":
                say(None, "250 2.0.0 ok")
            elif verb == "QUIT":
                say(None, "221 2.0.0 bye")
                return
            else:
                say(None, "502 5.5.1 what?")

    def recipient(self, address):
        kind = address.split(".")[0]
        if kind == "no":
            return "550 5.1.1 no such user"
        if kind == "later":
            with self.lock:
                self.deferred[address] += 1
                if self.deferred[address] <= int(address.split(".")[1]) and not self.is_calm:
                    return "451 4.7.1 come back later"
        return "250 2.1.5 ok"

    def message(self, content):
        name = re.search(rb"^Subject: (\S+)", content, re.MULTILINE).group(1).decode()
        if name.startswith("refused"):
            return "554 5.7.1 we do not like this"
        if name.startswith("deferred"):
            with self.lock:
                self.deferred[name] += 1
                if self.deferred[name] == 1 and not self.is_calm:
                    return "452 4.3.1 no room now"
        return "250 2.0.0 taken"


class Submission(threading.Thread):
    """Submits messages to one process until that is gone or there are enough; what is theirs stands in `offered` and `acknowledged`."""

    def __init__(self, lab, seed, sender, offered, acknowledged, messages=12):
        super().__init__()
        self.lab, self.sender, self.messages = lab, sender, messages
        self.seed, self.generator = seed, random.Random(f"{seed}/{sender}")
        self.offered, self.acknowledged = offered, acknowledged
        self.error = None
        self.start()

    def made(self, number):
        """A name, and its recipients with what becomes of them: True when they get it, False when it comes back."""
        kind = self.generator.choices(("plain", "deferred", "refused"), (8, 1, 1))[0]
        name = f"{kind}-{self.seed.replace('/', '-')}-{self.sender}-{number}"
        recipients = {}
        for index in range(self.generator.choice((1, 1, 1, 2, 3))):
            fate = self.generator.choices(("ok", "later.1", "later.2", "no"), (6, 1, 1, 2))[0]
            recipients[f"{fate}.{name}.{index}@{self.generator.choice(DOMAINS)}"] = fate != "no" and kind != "refused"
        return name, recipients

    def run(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.lab.port("submission"), timeout=10) as client:
                client.login(self.lab.user(self.sender), self.lab.password)
                for number in range(self.messages):
                    name, recipients = self.made(number)
                    self.offered[name] = recipients
                    content = f"From: {self.lab.user(self.sender)}\r\nSubject: {name}\r\n\r\n{'x' * self.generator.randrange(2000)}\r\n"
                    refused = client.sendmail(self.lab.user(self.sender), list(recipients), content)
                    assert not refused, refused
                    self.acknowledged.add(name)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            self.error = error
        except (OSError, smtplib.SMTPException):
            pass
        except BaseException as error:
            self.error = error

    def ended(self):
        self.join(timeout=20)
        assert not self.is_alive(), "a client hangs although the server is gone"
        if self.error is not None:
            raise self.error


def bounced(lab):
    """How often each address is told to have failed, over all the senders' mailboxes."""
    counts = collections.Counter()
    for number in range(1, SENDERS + 1):
        with imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=20) as client:
            client.login(lab.user(number), lab.password)
            client.select("INBOX", readonly=True)
            if client.untagged_responses.get("EXISTS") == [b"0"]:
                continue
            for answer in client.fetch("1:*", "(BODY.PEEK[])")[1]:
                if not isinstance(answer, tuple):
                    continue
                notice = email.message_from_bytes(answer[1])
                assert notice.get_content_type() == "multipart/report"
                for fields in notice.get_payload()[1].get_payload()[1:]:
                    assert fields["Action"] == "failed"
                    counts[fields["Final-Recipient"].split(";")[1].strip()] += 1
    return counts


def account(offered, acknowledged, taken, kills, bounces, at_once=AT_ONCE):
    """Finds what is missing or there too often; gives the duplicates, as (first copy, seconds before the kill)."""
    copies = collections.defaultdict(list)
    for copy in sorted(taken, key=lambda copy: copy.at):
        copies[copy.address].append(copy)
    known = {address for recipients in offered.values() for address in recipients}
    assert set(copies) | set(bounces) <= known, "something came that was never sent"
    for name, recipients in offered.items():
        ended = [address for address in recipients if address in copies or address in bounces]
        if name in acknowledged:
            assert len(ended) == len(recipients), f"{name} was acknowledged, and is lost for {set(recipients) - set(ended)}"
        assert len(ended) in (0, len(recipients)), f"{name} was queued for some of its recipients only: {ended} of {list(recipients)}"
        for address in ended:
            is_due = recipients[address]
            assert (address in copies) == is_due, f"{address} {'came back' if is_due else 'arrived'}"
            assert bounces[address] == (0 if is_due else 1), f"{address} came back {bounces[address]} times"
    duplicates = []
    for address, found in copies.items():
        for first, second in zip(found, found[1:]):
            assert second.process > first.process, f"{address} was sent twice by process {first.process}"
            assert first.process in kills, f"{address} was sent twice, and nobody was killed in between"
            window = kills[first.process][0] - first.at
            assert window < WINDOW, f"{address} was sent twice, first {window:.3f} s before the kill: it should have been committed"
            later = {copy.transaction for copy in taken if copy.process == first.process and copy.at > first.at}
            assert len(later) < at_once, f"{address} was sent twice, and its process did {len(later)} transactions after that"
            duplicates.append((first, window))
    return duplicates


def test_sigkill_while_mail_leaves(make_lab):
    seed = int(os.environ.get("MARTLET_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}, {ROUNDS} rounds")
    generator = random.Random(seed)
    killer = Killer()
    receivers = [Receiver(killer, f"{seed}/{domain}") for domain in DOMAINS]
    routes = [word for domain, receiver in zip(DOMAINS, receivers) for word in ("--route", f"{domain}=127.0.0.1:{receiver.port}")]
    lab = make_lab(*routes, *FAST, "--set", "queue.longest-retry=1s")
    offered, acknowledged = {}, set()
    process = starts_cut = 0

    def next_process():
        nonlocal process
        process += 1
        for receiver in receivers:
            receiver.process = process

    for number in range(ROUNDS):
        # One in ten lives longer: what it did at first has to be committed when it dies.
        is_long = number % 10 == 9
        stage = "after" if is_long else generator.choice(("any", "any", "start", *STAGES, "dot", "before", "after", "after"))
        killer.arm(lab.process, process, stage, generator.randrange(100, 200) if is_long else generator.randrange(1, 8))
        threads = [
            Submission(lab, f"{seed}/{number}", sender, offered, acknowledged, 80 if is_long else 12) for sender in range(1, SENDERS + 1)
        ]
        killer.is_done.wait(generator.uniform(0.05, 0.4) if stage in ("any", "start") else 2 if is_long else 0.6)
        killer.kill_now()
        lab.kill()
        for thread in threads:
            thread.ended()
        next_process()
        if stage == "start":
            # The next process dies while it takes up the queue.
            timer = threading.Timer(generator.uniform(0.02, 0.1), lambda: lab.process.kill())
            timer.start()
            try:
                lab.start()
            except RuntimeError:
                starts_cut += 1
            timer.join()
            killer.kills[process] = (time.monotonic(), "start")
            lab.kill()
            next_process()
        lab.start()
    for receiver in receivers:
        receiver.is_calm = True
    end = time.monotonic() + 40
    while json.loads(lab.command("ledger", "--json").stdout)["counted"]["queued"] > 0:
        assert time.monotonic() < end, lab.command("queue", "list").stdout
        lab.command("queue", "retry", "--all")
        time.sleep(0.2)
    taken = [copy for receiver in receivers for copy in receiver.taken]
    bounces = bounced(lab)
    duplicates = account(offered, acknowledged, taken, killer.kills, bounces)

    stages = collections.Counter(stage for _, stage in killer.kills.values())
    by_stage = collections.Counter(killer.kills[first.process][1] for first, _ in duplicates)
    windows = sorted(window for first, window in duplicates if first.is_told)
    print(f"{len(offered)} messages offered, {len(acknowledged)} acknowledged; {len({copy.address for copy in taken})} recipients reached, {len(bounces)} came back")
    print(f"killed at {dict(stages)}, {starts_cut} more before a start was done; replies {dict(sum((r.replies for r in receivers), collections.Counter()))}")
    print(f"{len(duplicates)} duplicates, by where the process was killed {dict(by_stage)}; {len(windows)} after the 250, at most {max(windows, default=0) * 1000:.1f} ms")
    counted = json.loads(lab.command("ledger", "--json").stdout)
    assert counted["holds"] is True
    assert counted["counted"]["relayed"] == len({copy.address for copy in taken})
    assert counted["counted"]["bounced"] == len(bounces)
    assert lab.command("ledger").returncode == 0
    assert lab.command("verify").returncode == 0
    assert len(acknowledged) > 3 * ROUNDS, "the load was none"
    assert sum(stages.values()) >= ROUNDS and len(stages) > ROUNDS // 20, "the kills were all alike"


@pytest.mark.parametrize(
    "fault, copies, bounces",
    [
        ("is lost", "", ""),
        ("some of its recipients only", "ok.a 0 1", ""),
        ("came back", "ok.a 0 1, ok.b 0 1", "ok.a no.c"),
        ("no.c arrived", "ok.a 0 1, ok.b 0 1, no.c 0 1", ""),
        ("came back 2 times", "ok.a 0 1, ok.b 0 1", "no.c no.c"),
        ("sent twice by process 0", "ok.a 0 1, ok.b 0 1, ok.b 0 1.1", "no.c"),
        ("nobody was killed", "ok.a 1 4, ok.b 1 4, ok.b 2 5", "no.c"),
        ("should have been committed", "ok.a 0 1, ok.b 0 1, ok.b 1 4", "no.c"),
        ("did 1 transactions after", "ok.a 0 2.7, ok.b 0 2.8, ok.a 1 4", "no.c"),
        ("never sent", "ok.a 0 1, ok.b 0 1, ok.d 0 1", "no.c"),
        (None, "ok.a 0 1, ok.b 0 2.9, ok.b 1 4", "no.c"),
    ],
)
def test_the_account_notices(fault, copies, bounces):
    """The proof of the proof: `copies` are address, process and time; process 0 was killed at 3."""
    taken = []
    for number, (address, process, at) in enumerate(text.split() for text in copies.split(", ") if text):
        taken.append(Taken(address, int(process), number))
        taken[-1].at = float(at)
    acknowledged = set() if fault == "some of its recipients only" else {"one"}
    offered = {"one": {"ok.a": True, "ok.b": True, "no.c": False}}
    arguments = (offered, acknowledged, taken, {0: (3.0, "after")}, collections.Counter(bounces.split()), 1)
    if fault is None:
        assert len(account(*arguments)) == 1
        return
    with pytest.raises(AssertionError, match=fault):
        account(*arguments)
