"""Backups of the real server: under load, killed at any moment, damaged; restored whole and message by message. And what else keeps
a store sound for years: compaction, repair, upgrades."""

import hashlib
import imaplib
import json
import os
import random
import re
import shutil
import smtplib
import sqlite3
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import BINARY, Lab, wait_until

SIZE = 3_000


def digest(octets):
    return hashlib.sha256(octets).hexdigest()


def message(name, size=SIZE):
    body = random.Random(name).randbytes(size // 2).hex()
    lines = [body[start : start + 72] for start in range(0, len(body), 72)]
    return (f"Message-ID: <{name}@far.test>\r\nFrom: Anna <a@far.test>\r\nSubject: {name}\r\n\r\n" + "".join(line + "\r\n" for line in lines)).encode()


def imap(lab, user=1):
    client = imaplib.IMAP4("127.0.0.1", lab.port("imap"), timeout=60)
    client.login(lab.user(user), lab.password)
    return client


def content(lab, user=1, place="INBOX"):
    """name -> (flags, INTERNALDATE, digest from Message-ID on) of all messages; each name is there once."""
    client = imap(lab, user)
    kind, _ = client.select(f'"{place}"', readonly=True)
    found = {}
    if kind == "OK":
        for answer in client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1] or []:
            if isinstance(answer, tuple):
                flags = re.search(rb"FLAGS \(([^)]*)\)", answer[0]).group(1).decode().split()
                date = re.search(rb'INTERNALDATE "([^"]*)"', answer[0]).group(1).decode()
                octets = answer[1][answer[1].index(b"Message-ID:") :]
                name = re.search(rb"^Message-ID: <([\w-]+)@", octets).group(1).decode()
                assert name not in found, f"{name} is there twice"
                found[name] = (frozenset(flags) - {"\\Recent"}, date, digest(octets))
    client.logout()
    return found


def send(lab, names, user=1, size=SIZE, told=None):
    with smtplib.SMTP("127.0.0.1", lab.port("smtp"), timeout=60) as client:
        for name in names:
            client.sendmail("a@far.test", [lab.user(user)], message(name, size))
            if told is not None:
                told.append(name)


def martlet(*words, check=True, timeout=120):
    done = subprocess.run([str(BINARY), *[str(word) for word in words]], capture_output=True, text=True, timeout=timeout)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def sound(lab):
    verified = lab.command("verify", check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    ledger = lab.command("ledger", check=False)
    assert ledger.returncode == 0, ledger.stdout + ledger.stderr


class Load:
    """Senders and a client that flags and expunges, until the block ends."""

    def __init__(self, lab, senders=2):
        self.lab, self.senders = lab, senders
        self.ends = threading.Event()
        self.told = []  # acknowledged
        self.begun = set()
        self.gone = set()  # asked to be expunged

    def sender(self, number):
        count = 0
        while not self.ends.is_set():
            with smtplib.SMTP("127.0.0.1", self.lab.port("smtp"), timeout=60) as client:
                # A connection takes so many messages and no more.
                for _ in range(500):
                    if self.ends.is_set():
                        break
                    name = f"load{number}x{count}"
                    self.begun.add(name)
                    client.sendmail("a@far.test", [self.lab.user(1)], message(name))
                    self.told.append(name)
                    count += 1

    def reader(self):
        client = imap(self.lab)
        client.select("INBOX")
        while not self.ends.is_set():
            uids = client.uid("SEARCH", "ALL")[1][0].split()
            if len(uids) > 10:
                uid = random.choice(uids[:-5]).decode()
                client.uid("STORE", uid, "+FLAGS", "(\\Flagged)")
                if random.random() < 0.3:
                    answer = client.uid("FETCH", uid, "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
                    name = next((re.search(rb"<([\w-]+)@", part[1]) for part in answer if isinstance(part, tuple)), None)
                    if name:
                        self.gone.add(name.group(1).decode())
                        client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
                        client.uid("EXPUNGE", uid)
            time.sleep(0.01)

    def __enter__(self):
        self.pool = ThreadPoolExecutor(self.senders + 1)
        self.jobs = [self.pool.submit(self.sender, number) for number in range(self.senders)] + [self.pool.submit(self.reader)]
        return self

    def __exit__(self, kind, *_):
        self.ends.set()
        for job in self.jobs:
            if kind is None:
                job.result()
            else:
                job.exception()
        self.pool.shutdown()


# MARK: Under load


def test_backups_under_load_have_every_message(make_lab, tmp_path):
    lab = make_lab("--open", "--set", "store.expunge-retention=0s")
    backups, moments = tmp_path / "backups", []
    with Load(lab) as load:
        for number in range(4):
            time.sleep(0.7)
            before, gone = list(load.told), set(load.gone)
            made = json.loads(lab.command("backup", backups, "--json").stdout)
            assert made["storeFaults"] == [] and made["damage"] == []
            moments.append((made, set(before), set(load.begun), gone, set(load.gone)))
            lab.command("store", "compact", "--dead", "5")
    assert len(load.told) > 50
    sound(lab)
    # Rows are nobody else's to read, in the store and in its copies.
    rows = [*lab.directory.rglob("store.db*"), *backups.rglob("store.db*")]
    assert len(rows) >= 5 and {path.stat().st_mode & 0o077 for path in rows} == {0}, rows
    # A run copies what is new.
    assert moments[-1][0]["written"] < moments[-1][0]["bytes"]
    checked = json.loads(martlet("backup", backups, "--check", "--json").stdout)
    assert [backup["damage"] for backup in checked] == [[]] * 4
    expected = {name: digest(message(name)) for name in load.begun}
    for number, (made, before, begun, gone_before, gone_after) in enumerate(moments):
        target = tmp_path / f"restored{number}"
        martlet("restore", backups / made["name"], "--all", "--to", target)
        restored = Lab(target, "--open")
        try:
            found = content(restored)
            assert before - gone_after <= set(found), f"lost: {sorted(before - gone_after - set(found))[:5]}"
            assert set(found) <= begun and not set(found) & gone_before
            for name, (_, _, octets) in found.items():
                assert octets == expected[name], name
            sound(restored)
            # Life goes on, with the same passwords and keys.
            send(restored, ["after"])
            assert "after" in content(restored)
            assert (target / "tls/ca-key.pem").read_bytes() == (lab.directory / "tls/ca-key.pem").read_bytes()
            assert os.stat(target / "tls/ca-key.pem").st_mode & 0o777 == 0o600
        finally:
            restored.kill()


def test_a_backup_while_no_server_runs_and_none_while_another_command_has_the_store(make_lab, tmp_path):
    lab = make_lab()
    send(lab, ["one", "two"])
    lab.stop()
    made = json.loads(lab.command("backup", tmp_path / "b", "--json").stdout)
    assert made["messages"] == 2
    again = json.loads(lab.command("backup", tmp_path / "b", "--json", "--keep", "1").stdout)
    assert again["removed"] == [made["name"]] and again["written"] < again["bytes"]
    assert [path.name for path in (tmp_path / "b").iterdir() if path.name.startswith("20")] == [again["name"]]
    missing = martlet("backup", tmp_path / "c", "--dir", tmp_path / "nothing", check=False)
    assert missing.returncode == 3 and "no mail server's data" in missing.stderr


def test_the_configuration_and_its_certificate_are_in_the_backup(make_lab, tmp_path):
    lab = make_lab()
    send(lab, ["one"])
    lab.stop()
    for name in ("server.pem", "server-key.pem"):
        shutil.copy(lab.directory / "tls" / name, tmp_path / name)
    (tmp_path / "martlet.yaml").write_text(
        f"server:\n  data-directory: {lab.directory}\ntls:\n  certificate: {tmp_path}/server.pem\n  key: {tmp_path}/server-key.pem\n"
    )
    martlet("backup", tmp_path / "b", "--config", tmp_path / "martlet.yaml")
    told = martlet("restore", tmp_path / "b", "--all", "--to", tmp_path / "r")
    assert (tmp_path / "r/martlet.yaml").read_text() == (tmp_path / "martlet.yaml").read_text()
    assert (tmp_path / "r/elsewhere/key.pem").read_bytes() == (tmp_path / "server-key.pem").read_bytes()
    assert str(tmp_path / "server-key.pem") in told.stdout


# MARK: Messages


def test_messages_mailboxes_and_accounts_come_back(make_lab, tmp_path):
    lab = make_lab()
    send(lab, [f"m{number}" for number in range(1, 8)])
    client = imap(lab)
    client.create("Work/Deep")
    client.append("Work/Deep", "(\\Seen $Label)", '"01-Feb-2020 03:04:05 +0000"', message("kept"))
    client.select("INBOX")
    client.store("3", "+FLAGS", "(\\Flagged)")
    before = {place: content(lab, place=place) for place in ("INBOX", "Work/Deep")}
    backups = tmp_path / "b"
    lab.command("backup", backups)
    client.store("1:5", "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.logout()
    user = lab.user(1)

    def restore(*words, check=True):
        return lab.command("restore", backups, "--account", user, *words, check=check)

    # One message, by its old UID and by its Message-ID.
    assert "1 messages restored" in restore("--mailbox", "INBOX", "--message", "3").stdout
    assert content(lab, place="Restored/INBOX") == {"m3": before["INBOX"]["m3"]}
    assert "1 messages restored" in restore("--message-id", "m4@far.test", "--as", "Found").stdout
    assert content(lab, place="Found") == {"m4": before["INBOX"]["m4"]}
    # Again: it is there already.
    assert "1 were there already" in restore("--message-id", "<m4@far.test>", "--as", "Found").stdout
    # A mailbox, to where it was: what is there stays once.
    told = restore("--mailbox", "inbox", "--in-place").stdout
    assert "5 messages restored" in told and "2 were there already" in told
    assert content(lab) == before["INBOX"]
    # The account.
    told = restore().stdout
    assert "1 were there already" in told
    assert content(lab, place="Restored/INBOX") == before["INBOX"]
    assert content(lab, place="Restored/Work/Deep") == before["Work/Deep"]
    # What is not there.
    for words, code, sentence in [
        (("--mailbox", "Nowhere"), 1, "no mailbox"),
        (("--mailbox", "INBOX", "--message", "99"), 1, "no such message"),
        (("--message", "3"), 2, "--mailbox"),
    ]:
        done = restore(*words, check=False)
        assert done.returncode == code and sentence in done.stderr, (words, done.stderr)
    nobody = lab.command("restore", backups, "--account", "nobody@example.test", check=False)
    assert nobody.returncode == 1 and "no account" in nobody.stderr
    nothing = lab.command("restore", tmp_path / "none", "--account", user, check=False)
    assert nothing.returncode == 1 and "no directory" in nothing.stderr
    sound(lab)
    # The same while no server runs.
    lab.stop()
    assert "1 messages restored" in restore("--mailbox", "INBOX", "--message", "7", "--as", "Offline").stdout


# MARK: Killed


def in_time(process, seconds):
    """Kills a command after so many seconds; whether it had not ended yet."""
    try:
        process.wait(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    finally:
        process.stdout.close()
        process.stderr.close()


def duration(*words):
    begin = time.monotonic()
    martlet(*words)
    return time.monotonic() - begin


def start(*words):
    return subprocess.Popen([str(BINARY), *[str(word) for word in words]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_backup_that_is_killed_leaves_the_earlier_ones_and_the_next_is_good(make_lab, tmp_path):
    lab = make_lab("--open")
    backups, killed, sent = tmp_path / "b", 0, []
    send(lab, [f"first{number}" for number in range(40)], size=800_000, told=sent)
    whole = duration("backup", backups, "--dir", lab.directory)
    for number in range(15):
        send(lab, [f"k{number}x{part}" for part in range(3)], size=400_000, told=sent)
        process = start("backup", backups, "--dir", lab.directory)
        killed += in_time(process, random.uniform(0.01, 0.9) * whole)
        checked = martlet("backup", backups, "--check", "--json", check=False)
        assert checked.returncode == 0, checked.stdout
    assert killed >= 4, "the backups ended too soon for this test"
    # What was killed keeps nothing from being tidied up.
    wait_until(lambda: lab.command("store", "compact", "--dead", "0", check=False).returncode == 0, 5, "segment files are still held")
    made = json.loads(lab.command("backup", backups, "--json").stdout)
    assert made["messages"] == len(sent)
    assert not [path for path in backups.iterdir() if path.name.endswith(".partial")]
    # What root restores belongs to who had the directory.
    (tmp_path / "r").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "r", 1234, 1234)
    martlet("restore", backups, "--all", "--to", tmp_path / "r")
    assert {path.stat().st_uid for path in [tmp_path / "r", *(tmp_path / "r").rglob("*")]} == {1234 if os.geteuid() == 0 else os.geteuid()}
    assert not list((tmp_path / "r/store").glob("store.db-*"))
    restored = Lab(tmp_path / "r")
    try:
        assert set(content(restored)) == set(sent)
        sound(restored)
    finally:
        restored.kill()
    sound(lab)


def test_a_restore_that_is_killed_leaves_nothing_or_all(make_lab, tmp_path):
    lab = make_lab("--open")
    names = [f"r{number}" for number in range(50)]
    send(lab, names, size=800_000)
    before = content(lab)
    backups, killed = tmp_path / "b", 0
    lab.command("backup", backups)
    whole = duration("restore", backups, "--all", "--to", tmp_path / "target")
    for number in range(10):
        target = tmp_path / f"target{number}"
        stopped = in_time(start("restore", backups, "--all", "--to", target), random.uniform(0.01, 0.9) * whole)
        killed += stopped
        assert target.exists() != stopped or sorted(path.name for path in target.iterdir())
        if not target.exists():
            martlet("restore", backups, "--all", "--to", target)
        assert not (tmp_path / f"target{number}.restoring").exists()
        assert martlet("verify", "--dir", target).returncode == 0
    assert killed >= 3
    # Into a running server: again and again, and each message is there once.
    words = ("restore", backups, "--account", lab.user(1), "--dir", lab.directory)
    whole = duration(*words, "--as", "Measured")
    killed = sum(in_time(start(*words, "--as", "Back"), random.uniform(0.1, 0.8) * whole) for _ in range(6))
    assert killed >= 2
    martlet(*words, "--as", "Back")
    assert content(lab, place="Back") == before
    sound(lab)


def test_a_server_that_is_killed_while_files_are_compacted_loses_nothing(make_lab):
    lab = make_lab("--open", "--set", "store.expunge-retention=0s")
    told, gone = set(), set()
    for round_number in range(6):
        names = [f"c{round_number}x{number}" for number in range(60)]
        send(lab, names, size=20_000)
        told |= set(names)
        client = imap(lab)
        client.select("INBOX")
        for number in range(1, 40, 2):
            answer = client.fetch(str(number), "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
            gone.add(re.search(rb"<([\w-]+)@", answer[0][1]).group(1).decode())
            client.store(str(number), "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.logout()
        process = start("store", "compact", "--dead", "0", "--dir", lab.directory)
        time.sleep(random.uniform(0.005, 0.25))
        lab.kill()
        process.wait(timeout=30)
        process.stdout.close()
        process.stderr.close()
        lab.start()
        found = content(lab)
        assert set(found) == told - gone
        for name, (_, _, octets) in found.items():
            assert octets == digest(message(name, 20_000))
        sound(lab)
    size = sum(path.stat().st_size for path in (lab.directory / "store/blobs").iterdir())
    done = json.loads(lab.command("store", "compact", "--dead", "0", "--json").stdout)
    assert done["faults"] == []
    after = sum(path.stat().st_size for path in (lab.directory / "store/blobs").iterdir())
    assert after <= size and after < len(told - gone) * 24_000
    sound(lab)
    # By itself, without a server.
    lab.stop()
    assert "0 files removed" in lab.command("store", "compact", "--dead", "0").stdout


# MARK: Damaged


def flip(path, place):
    octets = bytearray(path.read_bytes())
    octets[place] ^= 1
    path.write_bytes(octets)


DAMAGES = {
    "no manifest": (lambda b, d: (d / "manifest.json").unlink(), "manifest.json is missing"),
    "half a manifest": (lambda b, d: (d / "manifest.json").write_bytes((d / "manifest.json").read_bytes()[:300]), "not as it was written"),
    "another manifest": (lambda b, d: flip(d / "manifest.json", 200), "not as it was written"),
    "no rows": (lambda b, d: (d / "store.db").unlink(), "store.db is missing"),
    "half the rows": (lambda b, d: os.truncate(d / "store.db", 50_000), "store.db has 50000 octets of"),
    "other rows": (lambda b, d: flip(d / "store.db", 60_000), "store.db is not as it was written"),
    "no key": (lambda b, d: (d / "files/tls/ca-key.pem").unlink(), "files/tls/ca-key.pem is missing"),
    "another key": (lambda b, d: flip(d / "files/tls/ca-key.pem", 40), "files/tls/ca-key.pem is not as it was written"),
    "no messages": (lambda b, d: (b / "blobs/000001.seg").unlink(), "blobs/000001.seg is missing"),
    "half the messages": (lambda b, d: os.truncate(b / "blobs/000001.seg", 9_000), "blobs/000001.seg has 9000 octets of"),
    "another message": (lambda b, d: flip(b / "blobs/000001.seg", 9_000), "blobs/000001.seg is not as it was written"),
}


@pytest.fixture(scope="module")
def good(lab, tmp_path_factory):
    send(lab, [f"d{number}" for number in range(10)])
    place = tmp_path_factory.mktemp("good") / "b"
    lab.command("backup", place)
    return place


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_refused_in_words(lab, good, tmp_path, damage):
    backups = tmp_path / "b"
    shutil.copytree(good, backups)
    directory = next(path for path in backups.iterdir() if path.name.startswith("20"))
    break_it, sentence = DAMAGES[damage]
    break_it(backups, directory)
    done = martlet("restore", backups, "--all", "--to", tmp_path / "r", check=False)
    assert done.returncode == 1 and sentence in done.stderr and "use an older one" in done.stderr, done.stderr
    assert not (tmp_path / "r").exists()
    checked = martlet("backup", backups, "--check", check=False)
    assert checked.returncode == 1 and "DAMAGED" in checked.stdout and sentence in checked.stdout
    # Messages that can be read come back with --force, the others are listed.
    place = "Forced" + "".join(letter for letter in damage if letter.isalpha())
    forced = lab.command("restore", backups, "--account", lab.user(1), "--mailbox", "INBOX", "--as", place, "--force", "--json", check=False)
    if damage in ("no rows", "half the rows", "other rows"):
        # Without rows there is little to be had; what is had is right.
        assert forced.returncode in (0, 1), forced.stderr
        if damage != "other rows":
            assert "store.db" in forced.stderr or "database" in forced.stderr or json.loads(forced.stdout)["losses"]
        return
    view = json.loads(forced.stdout)
    lost = {"no messages": 10, "half the messages": 8, "another message": 1}.get(damage, 0)
    assert len(view["losses"]) == lost and view["restored"] == 10 - lost, view
    assert forced.returncode == (1 if lost else 0)
    found = content(lab, place=place)
    assert len(found) == 10 - lost
    for name, (_, _, octets) in found.items():
        assert octets == digest(message(name))


def test_a_backup_of_a_newer_program_is_refused(good, tmp_path):
    backups = tmp_path / "b"
    shutil.copytree(good, backups)
    directory = next(path for path in backups.iterdir() if path.name.startswith("20"))
    manifest = json.loads((directory / "manifest.json").read_text())
    for change, sentence in [({"schema": 99}, "tables of version 99"), ({"format": 7}, "has the form 7")]:
        text = json.dumps(manifest | change).encode()
        (directory / "manifest.json").write_bytes(text)
        (directory / "manifest.sha256").write_text(f"{digest(text)}  manifest.json\n")
        for force in ((), ("--force",)):
            done = martlet("restore", backups, "--all", "--to", tmp_path / "r", *force, check=False)
            assert done.returncode == 1 and sentence in done.stderr and "newer" in done.stderr, done.stderr
    # A manifest that leads out of the directory it is restored to.
    for name in ("../../evil", "/etc/evil", "files/../../evil"):
        manifest["files"][0]["name"] = name
        text = json.dumps(manifest).encode()
        (directory / "manifest.json").write_bytes(text)
        (directory / "manifest.sha256").write_text(f"{digest(text)}  manifest.json\n")
        done = martlet("restore", backups, "--all", "--to", tmp_path / "r", check=False)
        assert done.returncode == 1 and "makes no sense" in done.stderr


def test_the_directory_of_another_store_is_refused(make_lab, tmp_path):
    first, second = make_lab(name="first"), make_lab(name="second")
    send(first, ["one"])
    send(second, ["another", "more"])
    first.command("backup", tmp_path / "b")
    done = second.command("backup", tmp_path / "b", check=False)
    assert done.returncode == 1 and "another store" in done.stderr
    martlet("backup", tmp_path / "b", "--check")


# MARK: Repair and upgrade


def test_verify_repair(make_lab):
    lab = make_lab()
    send(lab, [f"v{number}" for number in range(6)])
    before = content(lab)
    lab.stop()
    database = sqlite3.connect(lab.directory / "store/store.db")
    with database:
        database.execute("UPDATE mailboxes SET messages = 70, unseen = 1, size = 3, uid_next = 2 WHERE messages = 6")
        database.execute("UPDATE blobs SET refs = refs + 3")
        database.execute("DELETE FROM summaries WHERE uid = 4")
    database.close()
    lab.start()
    assert lab.command("verify", check=False).returncode == 1
    done = json.loads(lab.command("verify", "--repair", "--json").stdout)
    assert done["repairCount"] >= 8 and done["verification"]["isSound"] and done["damagedCount"] == 0
    assert content(lab) == before
    sound(lab)
    # Octets that are lost: told, and kept until --remove-damaged.
    lab.stop()
    flip(lab.directory / "store/blobs/000001.seg", 2_000)
    lab.start()
    told = lab.command("verify", "--repair", check=False)
    assert told.returncode == 1 and "INBOX, UID 1, from Anna <a@far.test>, “v0”" in told.stdout
    removed = lab.command("verify", "--repair", "--remove-damaged", check=False)
    assert removed.returncode == 0 and "removed: user0001@example.test, INBOX, UID 1" in removed.stdout
    assert set(content(lab)) == set(before) - {"v0"}


def test_an_upgrade_is_rehearsed_and_keeps_the_rows_as_they_were(make_lab):
    lab = make_lab()
    send(lab, ["old"])
    nothing = lab.command("upgrade", "--rehearse")
    assert "There is nothing to do." in nothing.stdout and "sound: 1 messages" in nothing.stdout
    lab.stop()
    database = sqlite3.connect(lab.directory / "store/store.db")
    known = database.execute("PRAGMA user_version").fetchone()[0]
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    first = "settings domains aliases accounts credentials mailboxes subscriptions messages summaries expunged blobs segments records record_keys ledger".split()
    with database:
        for table in set(tables) - set(first):
            if not table.startswith("sqlite_"):
                database.execute(f"DROP TABLE {table}")
        for column in ("relayed", "bounced"):
            database.execute(f"ALTER TABLE records DROP COLUMN {column}")
        database.execute("PRAGMA user_version = 1")
    database.close()
    told = lab.command("upgrade", "--rehearse", "--messages").stdout
    assert "has version 1; martlet" in told and f"Step to version {known}" in told and "table queue_messages is new" in told
    rehearsed = json.loads(lab.command("upgrade", "--rehearse", "--json").stdout)
    assert rehearsed["found"] == 1 and rehearsed["verification"]["isSound"]
    database = sqlite3.connect(lab.directory / "store/store.db")
    assert database.execute("PRAGMA user_version").fetchone()[0] == 1
    database.close()
    lab.start()
    assert set(content(lab)) == {"old"}
    sound(lab)
    kept = sqlite3.connect(lab.directory / "store/before-migration-1.db")
    assert kept.execute("PRAGMA user_version").fetchone()[0] == 1
    assert kept.execute("SELECT COUNT(*) FROM messages").fetchone()[0] == 1
    kept.close()
    assert "before-migration-1.db" in (lab.directory / "log").read_text()
