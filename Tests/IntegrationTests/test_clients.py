"""Real mail programs of Debian against the real binary: senders, readers, and tools that keep two sides in step."""

import imaplib
import os
import smtplib
import textwrap
from pathlib import Path

import pytest
from conftest import need, run


def deliver(lab, number, count=1, prefix="m"):
    with smtplib.SMTP("127.0.0.1", lab.port("smtp")) as client:
        for index in range(count):
            client.sendmail("a@far.test", [lab.user(number)], f"Subject: {prefix}{index}\r\nMessage-ID: <{prefix}{index}@far.test>\r\n\r\nbody {index}\r\n")


def imap(lab, number):
    session = imaplib.IMAP4("127.0.0.1", lab.port("imap"))
    session.login(lab.user(number), lab.password)
    return session


def subjects(lab, number, mailbox="INBOX"):
    with imap(lab, number) as session:
        assert session.select(mailbox, readonly=True)[0] == "OK"
        parts = session.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        return [part[1].decode().split(":", 1)[1].strip() for part in parts if isinstance(part, tuple)]


def write(path, text, mode=0o600):
    path = Path(path)
    path.write_text(textwrap.dedent(text))
    path.chmod(mode)
    return path


# -- senders


@pytest.mark.parametrize("scheme,service", [("smtp", "submission"), ("smtps", "submissions")])
def test_curl_sends_and_reads(lab, tmp_path, scheme, service):
    message = write(tmp_path / "m", f"From: {lab.user(1)}\r\nTo: {lab.user(2)}\r\nSubject: by curl {service}\r\n\r\nhi\r\n")
    run(
        need("curl"), "-sS", "--ssl-reqd", "--cacert", lab.ca, f"{scheme}://localhost:{lab.port(service)}", "-u", f"{lab.user(1)}:{lab.password}",
        "--mail-from", lab.user(1), "--mail-rcpt", lab.user(2), "-T", message,
    )
    assert f"by curl {service}" in subjects(lab, 2)
    listing = run(need("curl"), "-sS", "--cacert", lab.ca, f"pop3s://localhost:{lab.port('pop3s')}/", "-u", f"{lab.user(2)}:{lab.password}")
    assert listing.split()[0] == "1"


@pytest.mark.parametrize("method", ["plain", "login", "scram-sha-256", "scram-sha-1"])
def test_msmtp_logs_in_by_every_method_it_has(lab, tmp_path, method):
    supported = run(need("msmtp"), "--version")
    if method.upper() not in supported.upper():
        pytest.fail(f"msmtp of this machine has no {method}: {supported}")
    configuration = write(
        tmp_path / "msmtprc",
        f"""
        account default
        host localhost
        port {lab.port('submission')}
        tls on
        tls_starttls on
        tls_trust_file {lab.ca}
        auth {method}
        user {lab.user(1)}
        password {lab.password}
        from {lab.user(1)}
        """,
    )
    run("msmtp", "-C", configuration, lab.user(2), stdin=f"From: {lab.user(1)}\nSubject: by msmtp {method}\n\nhi\n".encode())
    assert f"by msmtp {method}" in subjects(lab, 2)


def test_mutt_sends_and_reads(lab, tmp_path):
    configuration = write(
        tmp_path / "muttrc",
        f"""
        set ssl_ca_certificates_file = {lab.ca}
        set ssl_verify_host = yes
        set from = {lab.user(1)}
        set envelope_from = yes
        set use_envelope_from = yes
        set smtp_url = smtps://{lab.user(1)}@localhost:{lab.port('submissions')}
        set smtp_pass = {lab.password}
        set imap_user = {lab.user(2)}
        set imap_pass = {lab.password}
        set folder = imaps://localhost:{lab.port('imaps')}
        set spoolfile = +INBOX
        set record = ""
        set copy = no
        set confirmcreate = no
        set confirmappend = no
        set certificate_file = {lab.ca}
        # Debian's mutt asks for channel binding by tls-exporter, which its own TLS code does not give it.
        set smtp_authenticators = "plain"
        set imap_authenticators = "plain"
        """,
    )
    environment = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm"}
    run(need("mutt"), "-F", configuration, "-s", "by mutt", lab.user(2), stdin=b"hello from mutt\n", env=environment)
    assert "by mutt" in subjects(lab, 2)
    # Reads: opens the folder, saves the newest message into a file, leaves.
    saved = tmp_path / "saved"
    run(
        "timeout", "30", "script", "-qec",
        f"mutt -F {configuration} -e 'push <last-entry><copy-message><kill-line>{saved}<enter><quit>'", "/dev/null", env=environment, check=False,
    )
    assert "hello from mutt" in saved.read_text()


# -- readers


def test_fetchmail_by_pop3_and_imap(lab, tmp_path):
    for protocol, service, number in (("pop3", "pop3s", 3), ("imap", "imaps", 3)):
        deliver(lab, number, 2, prefix=protocol)
        configuration = write(
            tmp_path / f"{protocol}rc",
            f"""
            poll localhost protocol {protocol} port {lab.port(service)}
              user "{lab.user(number)}" password "{lab.password}" ssl sslcertfile {lab.ca} sslcertck
              mda "cat >> {tmp_path}/{protocol}.out" nokeep
            """,
            0o600,
        )
        run(need("fetchmail"), "-f", configuration, "--pidfile", tmp_path / f"{protocol}.pid", "-v", env={**os.environ, "HOME": str(tmp_path)})
        text = (tmp_path / f"{protocol}.out").read_text()
        assert f"Subject: {protocol}0" in text and f"Subject: {protocol}1" in text
        assert subjects(lab, number) == []


def test_getmail_keeps_what_it_has_seen(lab, tmp_path):
    deliver(lab, 4, 2, prefix="g")
    delivered = tmp_path / "delivered"
    delivered.mkdir()
    write(
        tmp_path / "getmailrc",
        f"""
        [retriever]
        type = SimplePOP3SSLRetriever
        server = localhost
        port = {lab.port('pop3s')}
        username = {lab.user(4)}
        password = {lab.password}
        ca_certs = {lab.ca}
        [destination]
        type = MDA_external
        path = /usr/bin/tee
        arguments = ("-a", "{delivered}/all")
        allow_root_commands = true
        [options]
        delete = false
        read_all = false
        """,
    )
    seen = []
    for _ in range(2):  # the second run finds nothing new: UIDLs are stable
        seen.append(run(need("getmail"), "--getmaildir", tmp_path, "--rcfile", "getmailrc"))
    assert "2 messages" in seen[0] and "0 messages" in seen[1], seen
    assert (delivered / "all").read_text().count("Subject: g") == 2
    assert len(subjects(lab, 4)) == 2


# -- both ways


def test_isync_keeps_two_sides_in_step(make_lab, tmp_path):
    lab = make_lab()
    deliver(lab, 1, 4, prefix="s")
    maildir = tmp_path / "mail"
    maildir.mkdir()
    configuration = write(
        tmp_path / "mbsyncrc",
        f"""
        IMAPStore far
        Host localhost
        Port {lab.port('imaps')}
        User {lab.user(1)}
        Pass {lab.password}
        SSLType IMAPS
        CertificateFile {lab.ca}

        MaildirStore near
        Path {maildir}/
        Inbox {maildir}/INBOX
        SubFolders Verbatim

        Channel all
        Far :far:
        Near :near:
        Patterns *
        Create Both
        Remove Both
        Expunge Both
        SyncState *
        """,
    )

    def sync():
        run(need("mbsync"), "-c", configuration, "-a", env={**os.environ, "HOME": str(tmp_path)})

    def near(folder):
        return sorted(path for sub in ("cur", "new") for path in (maildir / folder / sub).iterdir())

    sync()
    assert len(near("INBOX")) == 4
    # Far: a flag, an expunge, a move. Near: a flag, a delete, a new message.
    with imap(lab, 1) as session:
        session.select()
        session.store("1", "+FLAGS", "(\\Flagged)")
        session.uid("MOVE", "2", "Archive")
        session.store("2", "+FLAGS", "(\\Deleted)")
        session.expunge()
    sync()
    assert len(near("INBOX")) == 2 and len(near("Archive")) == 1
    assert any(path.name.split(",")[-1].count("F") for path in near("INBOX"))
    kept = [path for path in near("INBOX") if "F" in path.name.split(",")[-1]][0]
    other = [path for path in near("INBOX") if path != kept][0]
    other.unlink()
    (maildir / "INBOX" / "new" / "1.new.host").write_text("Subject: from near\n\nhello\n")
    sync()
    assert sorted(subjects(lab, 1)) == ["from near", "s0"]
    with imap(lab, 1) as session:
        session.create('"Made far"')
    (maildir / "Made near" / "cur").mkdir(parents=True)
    (maildir / "Made near" / "new").mkdir()
    (maildir / "Made near" / "tmp").mkdir()
    sync()
    with imap(lab, 1) as session:
        names = b" ".join(session.list()[1])
    assert b"Made near" in names and (maildir / "Made far").is_dir()
    sync()
    assert sorted(subjects(lab, 1)) == ["from near", "s0"]


def test_offlineimap_syncs(make_lab, tmp_path):
    lab = make_lab()
    deliver(lab, 1, 3, prefix="o")
    maildir = tmp_path / "offline"
    configuration = write(
        tmp_path / "offlineimaprc",
        f"""
        [general]
        accounts = a
        metadata = {tmp_path}/metadata
        [Account a]
        localrepository = near
        remoterepository = far
        [Repository near]
        type = Maildir
        localfolders = {maildir}
        [Repository far]
        type = IMAP
        remotehost = localhost
        remoteport = {lab.port('imaps')}
        remoteuser = {lab.user(1)}
        remotepass = {lab.password}
        ssl = yes
        sslcacertfile = {lab.ca}
        """,
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    run(need("offlineimap"), "-c", configuration, "-o", "-1", "-u", "basic", env=environment, timeout=90)
    assert len(list((maildir / "INBOX").rglob("*,U=*"))) == 3
    with imap(lab, 1) as session:
        session.select()
        session.store("1", "+FLAGS", "(\\Deleted)")
        session.expunge()
        session.store("1", "+FLAGS", "(\\Seen)")
    run("offlineimap", "-c", configuration, "-o", "-1", "-u", "basic", env=environment, timeout=90)
    left = list((maildir / "INBOX").rglob("*,U=*"))
    assert len(left) == 2 and any(path.name.endswith("S") for path in left)
