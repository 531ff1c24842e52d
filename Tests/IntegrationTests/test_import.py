"""Import and export with the real binary: files of Python's mailbox module, another Martlet, Dovecot, a server that breaks; kills."""

import email.message
import imaplib
import json
import mailbox
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from conftest import BINARY, free_port_base, need, wait_until


def letter(number, size=300):
    message = email.message.EmailMessage()
    message["From"] = "a@far.test"
    message["To"] = "anna@example.test"
    message["Subject"] = f"number {number}"
    message["Message-ID"] = f"<{number}@far.test>"
    message["Date"] = "Tue, 24 Nov 2026 11:41:21 +0000"
    message.set_content(f"From here on: {number}\n" + "x" * 70 + "\n" + "\n".join("y" * 60 for _ in range(size // 60)) + "\n")
    return message


def make_mbox(path, numbers, size=300):
    box = mailbox.mbox(path)
    for number in numbers:
        message = mailbox.mboxMessage(letter(number, size))
        message.set_from("a@far.test", time.gmtime(1_790_000_000 + number))
        message.set_flags(["RO", "O", "ROAF"][number % 3])
        box.add(message)
    box.flush()
    box.close()
    return path


def run_import(lab, *words, check=True, env=None, stdin=""):
    done = subprocess.run(
        [str(BINARY), "import", *map(str, words), "--json", "--dir", str(lab.directory)], capture_output=True, text=True, timeout=120, input=stdin,
        env={**os.environ, **(env or {})},
    )
    told = json.loads(done.stdout)
    if check:
        assert done.returncode == 0, (told, done.stderr)
    told["code"], told["stderr"] = done.returncode, done.stderr
    return told


def log_in(lab, user=1):
    client = imaplib.IMAP4("127.0.0.1", lab.port("imap"))
    client.login(lab.user(user), lab.password)
    return client


def stored(lab, folder, user=1):
    """(flags, date, octets) of each message, in order."""
    client = log_in(lab, user)
    assert client.select(f'"{folder}"', readonly=True)[0] == "OK", folder
    found = []
    _, data = client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])") if int(client.response("EXISTS")[1][0] or 0) else (None, [])
    for part in data:
        if isinstance(part, tuple):
            flags = {flag.decode() for flag in imaplib.ParseFlags(part[0])} - {"\\Recent"}
            found.append((flags, imaplib.Internaldate2tuple(part[0]), part[1]))
    client.logout()
    return found


def subjects(messages):
    return [email.message_from_bytes(content)["Subject"] for _, _, content in messages]


@pytest.mark.parametrize("is_running", [True, False])
def test_mbox_of_python(make_lab, tmp_path, is_running):
    lab = make_lab()
    box = make_mbox(tmp_path / "Old Mail.mbox", range(1_000))
    if not is_running:
        assert lab.stop() == 0
    dry = run_import(lab, "mbox", box, "--account", lab.user(1), "--dry-run")
    assert dry["messages"] == 1_000 and dry["stored"] == 0 and dry["isDryRun"]
    told = run_import(lab, "mbox", box, "--account", lab.user(1))
    assert (told["stored"], told["duplicates"], told["failed"], told["complete"]) == (1_000, 0, 0, True)
    again = run_import(lab, "mbox", box, "--account", lab.user(1))
    assert (again["stored"], again["duplicates"]) == (0, 1_000)
    if not is_running:
        lab.start()
    messages = stored(lab, "Old Mail")
    assert subjects(messages) == [f"number {number}" for number in range(1_000)]
    for number, (flags, date, content) in enumerate(messages):
        assert flags == [{"\\Seen"}, set(), {"\\Seen", "\\Answered", "\\Flagged"}][number % 3]
        assert time.mktime(date) == 1_790_000_000 + number
        # Python writes “>From”, as mbox programs do, and the reader takes it back.
        assert b"\r\nFrom here on: " in content and b"Status" not in content and b"\n" not in content.replace(b"\r\n", b"")
    assert lab.command("verify").returncode == 0
    assert not [name for name in os.listdir(tmp_path) if "martlet-import" in name]


def test_maildir_of_python_and_of_mbsync(make_lab, tmp_path):
    lab = make_lab()
    box = mailbox.Maildir(tmp_path / "Maildir")
    for number, flags in enumerate(["", "S", "FS", "R", "T", "D", "P"]):
        message = mailbox.MaildirMessage(letter(number))
        message.set_subdir("cur")
        message.set_flags(flags)
        message.set_date(1_780_000_000 + number)
        box.add(message)
    sent = box.add_folder("Gesendet")
    sent.add(letter(20))
    told = run_import(lab, "maildir", tmp_path / "Maildir", "--account", lab.user(1))
    assert told["stored"] == 8 and told["failed"] == 0, told
    assert {folder["folder"]: folder["target"] for folder in told["folders"]} == {"INBOX": "INBOX", "Gesendet": "Sent"}
    by_subject = dict(zip(subjects(stored(lab, "INBOX")), stored(lab, "INBOX")))
    expected = [set(), {"\\Seen"}, {"\\Flagged", "\\Seen"}, {"\\Answered"}, {"\\Deleted"}, {"\\Draft"}, {"$Forwarded"}]
    for number, flags in enumerate(expected):
        assert by_subject[f"number {number}"][0] == flags
        assert time.mktime(by_subject[f"number {number}"][1]) == 1_780_000_000 + number
    # mbsync fetches it all; its Maildir goes into another account.
    (tmp_path / "mbsyncrc").write_text(f"""
IMAPAccount lab
Host 127.0.0.1
Port {lab.port("imap")}
User {lab.user(1)}
Pass {lab.password}
SSLType None
AuthMechs PLAIN

IMAPStore far
Account lab

MaildirStore near
Path {tmp_path}/synced/
Inbox {tmp_path}/synced/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
SyncState *
""")
    (tmp_path / "synced").mkdir()
    done = subprocess.run([need("mbsync"), "-c", tmp_path / "mbsyncrc", "-a"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = run_import(lab, "maildir", tmp_path / "synced", "--account", lab.user(2))
    # mbsync leaves messages with \Deleted out unless it is told to.
    assert told["failed"] == 0 and told["stored"] >= 7, told
    assert subjects(stored(lab, "Sent", user=2)) == ["number 20"]


def fill(lab, count=250, user=1):
    box = make_mbox(lab.directory.parent / f"fill-{user}", range(count))
    run_import(lab, "mbox", box, "--account", lab.user(user), "--mailbox", "INBOX")
    client = log_in(lab, user)
    client.create('"Projekte/Sp&AOQ-t"')
    client.append('"Projekte/Sp&AOQ-t"', "(\\Flagged blue)", '"01-Jan-2001 10:00:00 +0200"', letter(900).as_bytes().replace(b"\n", b"\r\n"))
    client.append("Sent", "(\\Seen)", '"02-Jan-2001 10:00:00 +0000"', letter(901).as_bytes().replace(b"\n", b"\r\n"))
    client.logout()


def test_imap_from_another_martlet(make_lab, tmp_path):
    old, new = make_lab(name="old"), make_lab(name="new")
    fill(old)
    secret = tmp_path / "secret"
    secret.write_text(old.password + "\n")
    where = ["imap", "localhost", old.user(1), "--account", new.user(2), "--password-file", secret]
    # A certificate that nobody trusts ends it before the password goes out.
    refused = run_import(new, *where, "--port", old.port("imaps"), check=False)
    assert refused["code"] == 3 and "certificate" in refused["failure"], refused
    told = run_import(new, *where, "--port", old.port("imaps"), "--ca", old.ca)
    assert told["stored"] == 252 and told["failed"] == 0, told
    for folder in ("INBOX", "Projekte/Sp&AOQ-t", "Sent"):
        assert stored(new, folder, user=2) == stored(old, folder), folder
    for more in (["--port", old.port("imap"), "--tls", "starttls", "--ca", old.ca], ["--port", old.port("imaps"), "--insecure"]):
        again = run_import(new, *where, *more)
        assert again["stored"] == 0 and again["duplicates"] == 252, again
    assert "not verified" in again["stderr"]
    # Nothing of the password shows, and a wrong one is told.
    wrong = run_import(
        new, "imap", "localhost", old.user(1), "--account", new.user(2), "--port", old.port("imaps"), "--ca", old.ca, check=False,
        env={"MARTLET_IMPORT_PASSWORD": "hunter2"},
    )
    assert wrong["code"] == 1 and "refuses the login" in wrong["failure"] and "hunter2" not in wrong["stderr"] + json.dumps(wrong)
    nobody = run_import(new, *where, "--port", free_port_base() + 1, check=False)
    assert nobody["code"] == 3 and "refused" in nobody["failure"]


class Breaker(threading.Thread):
    """A relay to an IMAP server that cuts each connection after some octets from the server; the last one lives."""

    def __init__(self, port, limits):
        super().__init__(daemon=True)
        self.target, self.limits = port, list(limits)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            limit = self.limits.pop(0) if self.limits else None
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, limit), daemon=True).start()

    @staticmethod
    def pump(source, sink, limit):
        try:
            while data := source.recv(4096):
                if limit is not None:
                    data = data[:limit]
                    limit -= len(data)
                sink.sendall(data)
                if limit == 0:
                    break
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_imap_goes_on_after_the_connection_breaks(make_lab):
    old, new = make_lab(name="old"), make_lab(name="new")
    fill(old)
    breaker = Breaker(old.port("imap"), [20_000, 100_000, 1_500])
    told = run_import(
        new, "imap", "127.0.0.1", old.user(1), "--account", new.user(1), "--port", breaker.port, "--tls", "none", "--password-stdin",
        stdin=old.password + "\n",
    )
    assert breaker.connections == 4 and "plain text" in told["stderr"]
    assert told["stored"] == 252 and told["failed"] == 0, told
    assert stored(new, "INBOX") == stored(old, "INBOX")
    breaker.listener.close()


def test_imap_from_dovecot(make_lab, tmp_path):
    dovecot = need("dovecot")
    lab = make_lab()
    port = free_port_base() + 3
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    (tmp_path / "mail").mkdir()
    os.chown(tmp_path / "mail", 5000, 5000)
    (tmp_path / "passwd").write_text("anna:{PLAIN}secret\n")
    (tmp_path / "dovecot.conf").write_text(f"""
base_dir = {tmp_path}/run
state_dir = {tmp_path}/state
log_path = {tmp_path}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{tmp_path}/mail/Maildir
mail_uid = 5000
mail_gid = 5000
first_valid_uid = 5000
stats_writer_socket_path =
passdb {{
  driver = passwd-file
  args = {tmp_path}/passwd
}}
userdb {{
  driver = static
  args = home={tmp_path}/mail
}}
namespace inbox {{
  inbox = yes
  separator = .
  mailbox Gesendetes {{
    auto = create
    special_use = \\Sent
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")
    server = subprocess.Popen([dovecot, "-F", "-c", str(tmp_path / "dovecot.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:

        def connect():
            try:
                return imaplib.IMAP4("127.0.0.1", port)
            except OSError:
                return None

        client = wait_until(connect, message="Dovecot did not start")
        client.login("anna", "secret")
        client.create("Listen.Sw&AO8-ft")
        for number in range(130):
            flags = ["(\\Seen)", "(\\Flagged blue)", "()"][number % 3]
            folder = ["INBOX", "Gesendetes", "Listen.Sw&AO8-ft"][number % 3]
            assert client.append(folder, flags, f'"0{1 + number % 9}-Mar-2020 10:00:00 +0100"', letter(number).as_bytes().replace(b"\n", b"\r\n"))[0] == "OK"
        client.logout()
        told = run_import(
            lab, "imap", "127.0.0.1", "anna", "--account", lab.user(1), "--port", port, "--tls", "none", env={"MARTLET_IMPORT_PASSWORD": "secret"}
        )
        assert told["stored"] == 130 and told["failed"] == 0, told
        assert {folder["folder"]: folder["target"] for folder in told["folders"]} == {
            "INBOX": "INBOX", "Gesendetes": "Sent", "Listen/Swïft": "Listen/Swïft"
        }
        client = imaplib.IMAP4("127.0.0.1", port)
        client.login("anna", "secret")
        for theirs, ours in (("INBOX", "INBOX"), ("Gesendetes", "Sent"), ("Listen.Sw&AO8-ft", "Listen/Sw&AO8-ft")):
            client.select(theirs, readonly=True)
            _, data = client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
            found = [
                ({flag.decode() for flag in imaplib.ParseFlags(part[0])} - {"\\Recent"}, imaplib.Internaldate2tuple(part[0]), part[1])
                for part in data if isinstance(part, tuple)
            ]
            assert found == stored(lab, ours), theirs
        client.logout()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


@pytest.mark.parametrize("victim", ["command", "server"])
@pytest.mark.parametrize("pause", [0.05, 0.3, 0.8])
def test_kill_in_the_middle_then_resume(make_lab, tmp_path, victim, pause):
    lab = make_lab()
    count = 12_000
    box = tmp_path / "Big"
    with open(box, "wb") as file:
        for number in range(count):
            file.write(f"From a@far.test Tue Nov 24 11:41:21 2026\nMessage-ID: <{number}@far.test>\nSubject: number {number}\n\n".encode())
            file.write(b"some text\n" * 300 + b"\n")
    words = ["import", "mbox", str(box), "--account", lab.user(1), "--quiet", "--dir", str(lab.directory)]
    running = subprocess.Popen([str(BINARY), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(pause)
    if victim == "command":
        running.kill()
        running.communicate()
    else:
        lab.kill()
        _, errors = running.communicate(timeout=60)
        # Over before the server was killed, or told what to do now.
        assert running.returncode == 0 or (running.returncode == 3 and "control connection" in errors), errors
        lab.start()
    told = run_import(lab, "mbox", box, "--account", lab.user(1))
    assert told["stored"] + told["duplicates"] == told["messages"], told
    client = log_in(lab)
    client.select("Big", readonly=True)
    _, data = client.fetch("1:*", "(ENVELOPE)")
    found = [int(line.split(b'"number ')[1].split(b'"')[0]) for line in data]
    assert sorted(found) == list(range(count)) and found == sorted(found)
    client.logout()
    assert lab.command("verify").returncode == 0


DAMAGED = {
    "empty": (b"", 0, 0, None, 0),
    "one message without a From_ line": (b"Subject: x\n\nbody\n", 1, 0, "no mbox", 1),
    "random octets": (bytes(range(256)) * 400, 1, 0, "no mbox", 1),
    "gzip": (b"\x1f\x8b\x08\x00" + b"\0" * 100, 1, 0, "compressed", 0),
    "zeros": (b"\0" * 100_000, 1, 0, "no mbox", 1),
    "zeros in a message": (b"From a@b.test Tue Nov 24 11:41:21 2026\nA: 1\n\nx\n" + b"\0" * 5_000 + b"\ny\n\n", 0, 1, "5000 NUL", 1),
    "cut off": (b"From a@b.test Tue Nov 24 11:41:21 2026\nSubject: he", 0, 1, None, 0),
    "garbage before": (b"garbage\n\nFrom a@b.test Tue Nov 24 11:41:21 2026\nA: 1\n\nx\n", 1, 1, "belong to no message", 1),
    "wrong Content-Length": (b"From a@b.test Tue Nov 24 11:41:21 2026\nContent-Length: 7\n\nA\n\nFrom a@b.test Tue Nov 24 11:41:21 2026\nA: 1\n\nx\n", 0, 2, "Content-Length", 1),
    "no end of line for 5 MB": (b"From a@b.test Tue Nov 24 11:41:21 2026\nA: 1\n\n" + b"x" * 5_000_000, 0, 1, None, 0),
    "a header of 3 MB": (b"From a@b.test Tue Nov 24 11:41:21 2026\nA: " + b"x" * 3_000_000 + b"\n\ny\n", 0, 1, "header is longer", 1),
    "From_ lines alone": (b"From a@b.test Tue Nov 24 11:41:21 2026\n\n" * 50, 1, 0, "without a message", 50),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_mbox(lab, tmp_path, name):
    content, code, count, part, problems = DAMAGED[name]
    box = tmp_path / name.replace(" ", "-")
    box.write_bytes(content)
    told = run_import(lab, "mbox", box, "--account", lab.user(3), check=False)
    assert told["code"] == code and told["stored"] == count, told
    assert told["problemCount"] == problems, told
    if part:
        assert part in json.dumps([told["problems"], told.get("failure")]), told


def test_what_cannot_be_imported_is_said(lab, tmp_path):
    cases = [
        (["mbox", tmp_path / "none", "--account", lab.user(1)], 1, "there is no"), (["maildir", tmp_path / "none", "--account", lab.user(1)], 1, "no directory"),
        (["maildir", tmp_path, "--account", lab.user(1)], 1, "no Maildir"), (["mbox", make_mbox(tmp_path / "box", range(3)), "--account", "nobody@example.test"], 1, "no account"),
        (["mbox", tmp_path / "box", "--account", lab.user(1), "--folder", "No"], 1, "no folder"), (["mbox", tmp_path / "box", "--account", lab.user(1), "--map", "x"], 2, "no folder=mailbox"),
        (["mbox", tmp_path / "box", "--account", lab.user(1), "--mailbox", "a//b"], 1, "level is empty"), (["imap", "localhost", "x", "--account", lab.user(1)], 2, "no password"),
        (["imap", "no-such-host.invalid", "x", "--account", lab.user(1), "--password-stdin"], 3, "cannot connect"),
    ]
    for words, code, part in cases:
        told = run_import(lab, *words, check=False, stdin="secret\n" if "--password-stdin" in words else "")
        assert told["code"] == code and part in json.dumps(told, ensure_ascii=False), (words, told)


PEAK_OF_CHILD = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def test_a_large_message_costs_no_memory(lab, tmp_path):
    box = tmp_path / "Large"
    with open(box, "wb") as file:
        file.write(b"From a@b.test Tue Nov 24 11:41:21 2026\nSubject: large\n\n")
        for _ in range(150):
            file.write((b"0123456789" * 7 + b"\n") * (1_000_000 // 71))
    # A small process starts the command and tells its peak: a child of this large one would begin with this one's as its own.
    words = [str(BINARY), "import", "mbox", str(box), "--account", lab.user(4), "--json", "--dir", str(lab.directory)]
    done = subprocess.run([sys.executable, "-c", PEAK_OF_CHILD, *words], capture_output=True, text=True, timeout=60)
    told, peak = json.loads(done.stdout), int(done.stderr.splitlines()[-1])
    assert told["stored"] == 1 and peak < 100_000, (told, peak)


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
@pytest.mark.parametrize("is_running", [True, False])
def test_export_and_back(make_lab, tmp_path, kind, is_running):
    lab = make_lab()
    fill(lab)
    if not is_running:
        assert lab.stop() == 0
    done = subprocess.run(
        [str(BINARY), "export", kind, str(tmp_path / "out"), "--account", lab.user(1), "--json", "--dir", str(lab.directory)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["stored"] == 252
    # Python reads the same messages.
    if kind == "mbox":
        box = mailbox.mbox(tmp_path / "out" / "INBOX.mbox", create=False)
        assert [message["Subject"] for message in box] == [f"number {number}" for number in range(250)]
        assert [set(message.get_flags()) for message in box] == [set(["RO", "O", "ROAF"][number % 3]) for number in range(250)]
    else:
        box = mailbox.Maildir(tmp_path / "out", create=False)
        flags = {message["Subject"]: (set(message.get_flags()), int(message.get_date())) for message in box}
        assert flags == {f"number {number}": (set(["S", "", "SRF"][number % 3]), 1_790_000_000 + number) for number in range(250)}
        assert set(box.list_folders()) >= {"Sent", "Projekte.Sp&AOQ-t"}
    told = run_import(lab, kind, tmp_path / "out", "--account", lab.user(2))
    assert told["stored"] == 252 and told["failed"] == 0, told
    if not is_running:
        lab.start()
    for folder in ("INBOX", "Projekte/Sp&AOQ-t", "Sent"):
        assert stored(lab, folder, user=2) == stored(lab, folder), folder
