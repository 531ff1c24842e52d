"""Power cuts, SQLite's own files included: a lab runs under preload/recorder.c, and the server is started on what a disk could hold
at many moments of that run (powercut.py tells how strictly the system's promises are read).

At every moment all that was acknowledged is there once with the right octets, no flag, move or expunge that got OK is undone,
UIDVALIDITY is the same, UIDNEXT and HIGHESTMODSEQ are not below what was told, `verify` and `ledger` are content."""

import hashlib
import imaplib
import json
import os
import random
import re
import shutil
import smtplib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Lab
from powercut import Disk, records

POINTS = int(os.environ.get("MARTLET_POWERCUTS", "60"))
LARGE = 300_000  # above the store's spool threshold of 256 KiB
PLACES = ("INBOX", "Archive")
FLAGS = ("\\Flagged", "\\Seen", "\\Answered", "$Work")
USERS = 4


def digest(octets):
    return hashlib.sha256(octets).hexdigest()


def message(generator, name):
    size = LARGE + generator.randrange(200_000) if generator.random() < 0.03 else generator.randrange(2_000)
    body = generator.randbytes((size + 1) // 2).hex()
    lines = [body[start : start + 72] for start in range(0, len(body), 72)]
    return f"Message-ID: <{name}@far.test>\r\nSubject: {name}\r\n\r\n".encode() + "".join(line + "\r\n" for line in lines).encode()


def at_once(connection):
    """Clients that send a command in parts would wait 40 ms for each without this."""
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def imap(lab, user):
    client = at_once(imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=30))
    client.login(lab.user(user), lab.password)
    return client


def status(client, place):
    """(UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ)"""
    answer = client.status(place, "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ)")[1][0].decode()
    return tuple(int(re.search(rf"{item} (\d+)", answer).group(1)) for item in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"))


def numbers(text):
    """A sequence set, in order."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def mailbox(client, place):
    """uid -> (flags, octets)"""
    client.select(place, readonly=True)
    found = {}
    for answer in client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")[1] or []:
        if isinstance(answer, tuple):
            flags = re.search(rb"FLAGS \(([^)]*)\)", answer[0]).group(1).decode().split()
            uid = int(re.search(rb"UID (\d+)", answer[0]).group(1))
            assert uid not in found
            found[uid] = (frozenset(flags) - {"\\Recent"}, answer[1])
    return found


class Recording:
    """A lab under the recorder, and who did what when; moments are positions in the log."""

    def __init__(self, lab, log, seed, compacts=False):
        self.lab, self.log, self.seed, self.compacts = lab, log, seed, compacts
        self.removed_files = 0
        self.sent = []  # (begin, end, recipients, name, digest, code for explain)
        self.steps = []  # (begin, end, name -> (place, uid, flags, digest), or None when expunged) by one client, in order
        self.aliases = []  # (end, address) added by the command line
        self.told = []  # (position, user, place, (uidvalidity, uidnext, highestmodseq))

    def position(self):
        return os.stat(self.log).st_size

    def send(self, prefix, count):
        generator = random.Random(f"{self.seed}/{prefix}")

        def job():
            with smtplib.SMTP("127.0.0.1", self.lab.port("smtp"), timeout=30) as client:
                at_once(client)
                for number in range(count):
                    name = f"{prefix}n{number}"
                    content = message(generator, name)
                    recipients = (1, 3) if generator.random() < 0.2 else (1,)
                    begin = self.position()
                    client.ehlo_or_helo_if_needed()
                    client.mail("a@far.test")
                    for user in recipients:
                        client.rcpt(self.lab.user(user))
                    code, text = client.data(content)
                    assert code == 250, (code, text)
                    self.sent.append((begin, self.position(), recipients, name, digest(content), text.decode().split()[-1]))

        return job

    def watch(self, ends):
        """What another client is told of user 1's INBOX meanwhile."""

        def job():
            client = imap(self.lab, 1)
            while not ends.is_set():
                told = status(client, "INBOX")
                self.told.append((self.position(), 1, "INBOX", told))
                time.sleep(0.01)

        return job

    def change(self, prefix, count):
        """One client of user 2 appends, flags, moves and expunges."""
        generator = random.Random(f"{self.seed}/{prefix}")

        def job():
            client = imap(self.lab, 2)
            client.select("INBOX")
            state, place = {}, "INBOX"
            for _, _, changes in self.steps:
                state.update(changes)
            state = {name: value for name, value in state.items() if value is not None}

            def step(command, changes):
                """`changes` is a function of nothing, called after the command, that gives what it made."""
                begin = self.position()
                answer = command()
                assert answer[0] == "OK", answer
                end = self.position()
                made = changes()
                self.steps.append((begin, end, made))
                for name, value in made.items():
                    if value is None:
                        state.pop(name)
                    else:
                        state[name] = value

            for number in range(count):
                here = [name for name, value in state.items() if value[0] == place]
                action = generator.choice(("append", "append", "store", "store", "move", "expunge", "change", "status"))
                if len(here) < 4:
                    action = "append"
                chosen = generator.sample(here, min(len(here), generator.randrange(1, 4)))
                uids = ",".join(str(state[name][1]) for name in chosen)
                match action:
                    case "append":
                        name, flags = f"{prefix}a{number}", frozenset(generator.sample(FLAGS, generator.randrange(3)))
                        content = message(generator, name)

                        def appended(name=name, flags=flags, content=content):
                            uid = int(client.response("APPENDUID")[1][-1].split()[1])
                            return {name: (place, uid, flags, digest(content))}

                        step(lambda: client.append(place, f"({' '.join(flags)})" if flags else None, None, content), appended)
                    case "store":
                        flag, adds = generator.choice(FLAGS), generator.random() < 0.6

                        def stored(chosen=chosen, flag=flag, adds=adds):
                            values = {name: state[name] for name in chosen}
                            return {
                                name: (value[0], value[1], value[2] | {flag} if adds else value[2] - {flag}, value[3])
                                for name, value in values.items()
                            }

                        step(lambda: client.uid("STORE", uids, "+FLAGS" if adds else "-FLAGS", f"({flag})"), stored)
                    case "move":
                        target = PLACES[1 - PLACES.index(place)]

                        def moved(target=target):
                            _, before, after = client.response("COPYUID")[1][-1].decode().split()
                            renumbered = dict(zip(numbers(before), numbers(after), strict=True))
                            return {name: (target, renumbered[state[name][1]], *state[name][2:]) for name in chosen}

                        step(lambda: client.uid("MOVE", uids, target), moved)
                    case "expunge":

                        def marked(chosen=chosen):
                            return {name: (*state[name][:2], state[name][2] | {"\\Deleted"}, state[name][3]) for name in chosen}

                        step(lambda: client.uid("STORE", uids, "+FLAGS", "(\\Deleted)"), marked)
                        step(lambda: client.uid("EXPUNGE", uids), lambda chosen=chosen: {name: None for name in chosen})
                    case "change":
                        place = PLACES[1 - PLACES.index(place)]
                        client.select(place)
                    case "status":
                        for each in PLACES:
                            told = status(client, each)
                            self.told.append((self.position(), 2, each, told))

        return job

    def administer(self, prefix, count):
        def job():
            for number in range(count):
                address = f"{prefix}{number}@{self.lab.domain}"
                self.lab.command("alias", "add", address, self.lab.user(4))
                self.aliases.append((self.position(), address))

        return job

    def compact(self, ends):
        """Gives back, again and again, what was expunged."""

        def job():
            while not ends.is_set():
                done = json.loads(self.lab.command("store", "compact", "--dead", "0", "--json").stdout)
                assert not done["faults"], done
                self.removed_files += done["removedFiles"]
                time.sleep(0.05)

        return job

    def run(self, number):
        ends = threading.Event()
        workers = [self.send(f"r{number}s{sender}", 120) for sender in range(2)]
        workers += [self.change(f"r{number}c", 200), self.administer(f"r{number}alias", 5)]
        watchers = [self.watch(ends)] + ([self.compact(ends)] if self.compacts else [])
        with ThreadPoolExecutor(len(workers) + len(watchers)) as pool:
            watching = [pool.submit(watcher) for watcher in watchers]
            try:
                for future in [pool.submit(worker) for worker in workers]:
                    future.result()
            finally:
                ends.set()
            for future in watching:
                future.result()


@pytest.fixture(scope="module")
def recording(binary, preload, tmp_path_factory):
    return record(preload, tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def compacted(binary, preload, tmp_path_factory):
    """The same with segment files that are compacted all the time."""
    result = record(preload, tmp_path_factory.mktemp("compacted"), "--set", "store.expunge-retention=0s", compacts=True)
    print(f"{result.removed_files} segment files were removed")
    assert result.removed_files > 5
    return result


def record(preload, place, *options, compacts=False):
    seed = int(os.environ.get("MARTLET_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}, {POINTS} power cuts")
    log, state = place / "log", place / "state"
    environment = {"LD_PRELOAD": str(preload("recorder")), "RECORDER_DIR": str(state), "RECORDER_LOG": str(log)}
    lab = Lab(state, "--open", *options, users=USERS, environment=environment)
    try:
        result = Recording(lab, log, seed, compacts)
        result.ready = result.position()
        result.run(1)
        # An orderly end and another start belong to it: both write the database's files anew.
        result.stopping = result.position()
        assert lab.stop() == 0
        result.stopped = result.position()
        actual = {str(path.relative_to(state)): path.read_bytes() for path in state.rglob("*") if path.is_file()}
        lab.start()
        result.restarted = result.position()
        result.run(2)
    finally:
        lab.kill()
    result.octets = log.read_bytes()
    result.actual = {path: actual[path] for path in Disk.kept(actual)}
    kinds = {"append": 0, "flag": 0, "move": 0, "expunge": 0}
    state = {}
    for _, _, changes in result.steps:
        for name, value in changes.items():
            before = state.get(name)
            kinds["append" if before is None else "expunge" if value is None else "move" if value[0] != before[0] else "flag"] += 1
            state[name] = value
    print(f"{len(result.sent)} messages, {kinds}, {len(result.told)} states told, {len(result.octets) >> 20} MB of log")
    assert all(count > 20 for count in kinds.values()), kinds
    return result


def test_the_recorder_sees_every_change(recording):
    """Otherwise the rest would prove nothing: all records together give the files that the server left."""
    disk = Disk()
    disk.advance(recording.octets, recording.stopped)
    seen = disk.running()
    assert set(seen) == set(recording.actual)
    for path, content in recording.actual.items():
        assert seen[path] == content, f"{path} differs"


def test_the_load_touches_all_that_is_durable(recording):
    kinds = {}
    names = {}
    for _, kind, inode, _, text, _ in records(recording.octets):
        if kind == "O":
            names[inode] = text
        path = names.get(inode, "") if kind in "WTBE" else text
        part = next((part for part in ("-wal", ".seg", "spool/", "store.db") if part in path), "other")
        kinds[part, kind] = kinds.get((part, kind), 0) + 1
    print(kinds)
    # Messages above the spool threshold, commits, and checkpoints: the database itself was written and synced.
    assert kinds["spool/", "W"] > 3 and kinds["-wal", "E"] > 200 and kinds["store.db", "W"] > 50 and kinds["store.db", "E"] > 2


def test_the_directory_of_the_store_is_durable(recording):
    """mkdir of the store and what is in it were synced before the first message was acknowledged."""
    disk = Disk()
    disk.advance(recording.octets, min(end for _, end, *_ in recording.sent))
    unsynced = {path for path, _ in disk.unsynced_directories if path.startswith("store") and path != "store/spool"}
    assert not unsynced, f"never synced into the directory above: {unsynced}"


def test_the_authority_that_clients_trust_is_durable(recording):
    """Keys and certificates had their names synced by then too: otherwise a start makes new ones, and clients trust it no more."""
    disk = Disk()
    disk.advance(recording.octets, min(end for _, end, *_ in recording.sent))
    missing = {"ca.pem", "tls/ca-key.pem", "tls/server.pem", "tls/server-key.pem", "lab.state"} - set(disk.names)
    assert not missing, f"renamed, and their directory was not synced: {missing}"


def points(recording, count, generator):
    """Moments: many right after an acknowledgement, when the most has to hold; some in the middle of a checkpoint, where the
    write-ahead log begins anew, at a sync, in a start, an end, anywhere."""
    ends = [end for _, end, *_ in recording.sent + recording.steps] + [moment for moment, *_ in recording.told]
    everywhere, syncs, checkpoints, restarts, paths = [], [], [], [], {}
    for end, kind, inode, number, text, _ in records(recording.octets):
        everywhere.append(end)
        if kind == "O":
            paths[inode] = text
        if kind in "Ee":
            syncs.append(end)
        if kind in "WTBE" and paths[inode].endswith("store.db") and end > recording.ready:
            checkpoints.append(end)
        if kind == "W" and number == 0 and paths[inode].endswith("-wal") and end > recording.ready:
            restarts.append(end)
    assert checkpoints and restarts, "the write-ahead log was never copied and begun anew"
    chosen = [generator.choice([end for end in everywhere if end < recording.ready]) for _ in range(3)]
    chosen += [generator.choice([end for end in everywhere if recording.stopping < end <= recording.restarted]) for _ in range(5)]
    chosen += [generator.choice(checkpoints) for _ in range(count // 8)]
    # The log begins anew over its old frames: some writes after that.
    chosen += [everywhere[everywhere.index(generator.choice(restarts)) + generator.randrange(40)] for _ in range(count // 12)]
    chosen += [generator.choice(syncs) for _ in range(count // 6)]
    chosen += [generator.choice(everywhere) for _ in range(count // 6)]
    chosen += [generator.choice(ends) for _ in range(max(0, count - len(chosen)))]
    return sorted(chosen)


def check(recording, lab, moment):
    """Compares what the server has with what it had acknowledged by then."""
    found_recipients = 0
    for user in (1, 3):
        client = imap(lab, user)
        found = {}
        for uid, (_, content) in mailbox(client, "INBOX").items():
            name = re.search(rb"^Message-ID: <(\w+)@", content, re.MULTILINE).group(1).decode()
            assert name not in found, f"{name} is there twice"
            found[name] = content
        offered = {name: (end, content) for begin, end, users, name, content, _ in recording.sent if user in users and begin <= moment}
        missing = {name for name, (end, _) in offered.items() if end <= moment} - set(found)
        assert not missing, f"acknowledged messages of user {user} are missing: {sorted(missing)[:5]}"
        assert set(found) <= set(offered)
        for name, content in found.items():
            assert digest(content[content.index(b"Message-ID:") :]) == offered[name][1], f"{name} has other octets"
        found_recipients += len(found)
        client.logout()

    client = imap(lab, 2)
    found = {}
    for place in PLACES:
        for uid, (flags, content) in mailbox(client, place).items():
            name = re.search(rb"^Message-ID: <(\w+)@", content, re.MULTILINE).group(1).decode()
            assert name not in found, f"{name} is there twice"
            found[name] = (place, uid, flags, digest(content))
    known, perhaps = {}, {}
    for begin, end, changes in recording.steps:
        if end <= moment:
            known.update(changes)
        elif begin <= moment:
            perhaps.update(changes)
    for name in set(known) | set(perhaps) | set(found):
        allowed = [known.get(name)] + ([perhaps[name]] if name in perhaps else [])
        assert found.get(name) in allowed, f"{name}: found {found.get(name)}, known {known.get(name)}, perhaps {perhaps.get(name)}"
    client.logout()

    for user in (1, 2):
        client = imap(lab, user)
        for place in PLACES:
            told = [values for position, who, where, values in recording.told if position <= moment and (who, where) == (user, place)]
            now = status(client, place)
            for validity, uid_next, mod_seq in told[-1:]:
                holds = now[0] == validity and now[1] >= uid_next and now[2] >= mod_seq
                assert holds, f"{place} of user {user}: told {told[-1]}, now {now}"
        client.logout()

    verified = lab.command("verify", check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    ledger = lab.command("ledger", "--json", check=False)
    assert ledger.returncode == 0, ledger.stdout + ledger.stderr
    assert json.loads(ledger.stdout)["counted"]["accepted"] == found_recipients
    for _, name, code in sorted((end, name, code) for _, end, _, name, _, code in recording.sent if end <= moment)[-1:]:
        record = lab.command("explain", code, check=False)
        assert record.returncode == 0 and name in record.stdout, f"{code}, the record of {name}: {record.stdout}{record.stderr}"
    with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=30) as sender:
        aliases = [address for end, address in recording.aliases if end <= moment]
        refused = at_once(sender).sendmail("a@far.test", [lab.user(4), *aliases], "Subject: goes on\r\n\r\nx\r\n")
        assert not refused, f"an alias is gone: {refused}"


def cut_and_check(recording, directory, disk, state, moment):
    """Starts the server on one state; gives the fault, or nothing."""
    disk.write(state, directory / "state")
    lab = None
    try:
        lab = Lab(directory / "state", "--open", users=USERS)
        check(recording, lab, moment)
    except (AssertionError, OSError, RuntimeError, imaplib.IMAP4.error, smtplib.SMTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        if lab is not None and lab.process.poll() is None:
            lab.kill()
    shutil.rmtree(directory)
    return None


def cut_all(recording, directory, moments, ignored=lambda path: False, keep=None):
    """Replays up to each moment and checks, two at a time; gives (moment, number, fault) of those that fail."""
    disk = Disk(ignored)
    faults, running = [], []

    def collect(limit):
        while len(running) > limit:
            number, moment, future = running.pop(0)
            if fault := future.result():
                faults.append((moment, number, fault))

    with ThreadPoolExecutor(2) as pool:
        for number, moment in enumerate(moments):
            disk.advance(recording.octets, moment)
            state = disk.cut(random.Random(f"{recording.seed}/{number}"), keep)
            place = directory / f"cut{number}"
            place.mkdir()
            snapshot = Disk()
            snapshot.directories = set(disk.directories)
            running.append((number, moment, pool.submit(cut_and_check, recording, place, snapshot, state, moment)))
            collect(2)
        collect(0)
    return faults


def test_power_cuts(recording, tmp_path):
    moments = points(recording, POINTS, random.Random(recording.seed))
    faults = cut_all(recording, tmp_path, moments)
    told = "\n".join(f"cut {number} at {moment}: {fault}" for moment, number, fault in faults[:10])
    assert not faults, f"seed {recording.seed}: {len(faults)} of {len(moments)} power cuts lost something\n{told}"


def test_power_cuts_while_files_are_compacted(compacted, tmp_path):
    test_power_cuts(compacted, tmp_path)


@pytest.mark.parametrize("ignored", ["store/store.db-wal", "store/blobs/000001.seg", "store/blobs"])
def test_a_sync_that_does_nothing_is_noticed(recording, tmp_path, ignored):
    """The proof of the proof: on a disk that forgets these syncs, acknowledged mail is lost, and the check says so."""
    ends = sorted(end for _, end, *_ in recording.sent if end < recording.stopping)
    moments = [ends[len(ends) * part // 5] for part in (1, 2, 3, 4)]
    faults = cut_all(recording, tmp_path, moments, lambda path: path == ignored, keep=0.0)
    assert len(faults) == len(moments), faults
    print(faults[-1])


@pytest.mark.parametrize("round_number", range(3))
def test_a_second_power_cut_while_it_recovers(recording, preload, tmp_path, round_number):
    """What recovery itself writes is recorded, and cut again."""
    generator = random.Random(f"{recording.seed}/second/{round_number}")
    moment = generator.choice([end for _, end, *_ in recording.sent + recording.steps])
    disk = Disk()
    disk.advance(recording.octets, moment)
    state = disk.cut(generator)
    first, log = tmp_path / "first" / "state", tmp_path / "log"
    disk.write(state, first)
    environment = {"LD_PRELOAD": str(preload("recorder")), "RECORDER_DIR": str(first), "RECORDER_LOG": str(log)}
    lab = Lab(first, "--open", users=USERS, environment=environment)
    lab.kill()
    again = Disk.holding(state, disk.directories)
    octets = log.read_bytes()
    ends = [end for end, *_ in records(octets)]
    for number in range(2):
        position = generator.choice(ends)
        second = Disk.holding(state, disk.directories)
        second.advance(octets, position)
        place = tmp_path / f"second{number}"
        place.mkdir()
        fault = cut_and_check(recording, place, again, second.cut(generator), moment)
        assert fault is None, f"seed {recording.seed}, cut at {moment}, again at {position} of {len(octets)}: {fault}"
