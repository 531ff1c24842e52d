"""A small internet for tests with the mail servers of others: Postfix, Exim and OpenSMTPD as Debian builds them, knot for the DNS.

Each server runs in the foreground in namespaces of its own: it sees the machine's /usr with its package laid over it, /etc with its
own files laid over it, and a /var of its own. So the three are there side by side, which their packages do not allow, none touches what
is installed, and all of a server's processes end with the one that was started. One network namespace holds them all: there is nothing
but its loopback, on which ports 25 and 53 are free.
"""

import ctypes
import fcntl
import os
import shutil
import smtplib
import socket
import struct
import subprocess
import textwrap
import time
from pathlib import Path

import pytest
from conftest import ROOT, need, run, wait_until

# A package that Tools/setup cannot install beside Postfix is unpacked here; what it needs is in Tools/packages-test.txt.
UNPACKED = ROOT / ".build/debian"
CLONE_NEWNET = 0x4000_0000
# From here the servers take mail for anybody: how a test makes them send.
CUSTOMER = "127.0.0.100"
NAME_SERVER = "127.0.0.53"


class Network:
    """A network of its own for this thread, for what it starts, and for the sockets that it makes; the one before comes back at the end."""

    def __enter__(self):
        if os.geteuid() != 0:
            pytest.skip("namespaces need root")
        self.library = ctypes.CDLL(None, use_errno=True)
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if self.library.unshare(CLONE_NEWNET) != 0:
            error = os.strerror(ctypes.get_errno())
            os.close(self.before)
            pytest.fail(f"a network namespace cannot be made here ({error}): run this as root, and in a container with CAP_SYS_ADMIN")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as of_ipv4:
            # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
            fcntl.ioctl(of_ipv4, 0x8914, struct.pack("16sH22x", b"lo", 0x41))
            # SIOCSIFADDR: programs look up no addresses of a family of which the machine has none but loopback (AI_ADDRCONFIG). IPv6
            # stays with ::1 alone, as on many machines.
            address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("192.0.2.1"))
            fcntl.ioctl(of_ipv4, 0x8916, struct.pack("16s16s8x", b"lo:1", address))
        return self

    def __exit__(self, *_):
        assert self.library.setns(self.before, CLONE_NEWNET) == 0
        os.close(self.before)


def unpacked(package):
    """The folder with a Debian package's files; it is fetched with apt when it is not there."""
    folder = UNPACKED / package
    if not folder.exists():
        UNPACKED.mkdir(parents=True, exist_ok=True)
        place = UNPACKED / f"{package}.{os.getpid()}"
        place.mkdir()
        try:
            apt = [need("apt-get"), "-qq", "-o", "APT::Sandbox::User=root"]
            for command in (["download", package], ["update"], ["download", package]):
                done = subprocess.run([*apt, *command], cwd=place, capture_output=True, text=True, timeout=60)
                if done.returncode == 0 and command[0] == "download":
                    break
            archives = list(place.glob("*.deb"))
            if not archives:
                pytest.fail(f"the package {package} cannot be fetched; run `apt-get update && apt-get download {package}` and look:\n{done.stderr}")
            run(need("dpkg-deb"), "-x", archives[0], place / "files")
            (place / "files").rename(folder)
        finally:
            shutil.rmtree(place)
    return folder


class Authority:
    """Certificates for the servers' names: a valid one and one that has expired."""

    def __init__(self, place, names):
        self.place = place
        place.mkdir()
        self.certificate = place / "ca.pem"
        self.key = place / "key.pem"
        openssl = need("openssl")
        run(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", place / "ca.key", "-out", self.certificate, "-days", "30", "-subj", "/CN=Authority for tests")
        run(openssl, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", place / "request", "-subj", f"/CN={names[0]}")
        (place / "extensions").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n")
        self.valid = self.issue("valid.pem", 30)
        self.expired = self.issue("expired.pem", -1)

    def issue(self, name, days):
        path = self.place / name
        run(
            "openssl", "x509", "-req", "-in", self.place / "request", "-CA", self.certificate, "-CAkey", self.place / "ca.key",
            "-CAcreateserial", "-extfile", self.place / "extensions", "-days", str(days), "-out", path,
        )
        return path


class Contained:
    """A program in namespaces of its own. `etc` gives its files there by name, `package` what is laid over /usr, `var` folders of /var.

    A shell that stays root's is process 1 there and ends with `process`: a program that changes its user would lose that signal."""

    SCRIPT = """
        set -e
        [ -z "$PACKAGE" ] || mount -t overlay overlay -o "lowerdir=$PACKAGE/usr:/usr" /usr
        mount -t overlay overlay -o "lowerdir=$PLACE/etc:/etc" /etc
        mount --bind "$PLACE/var" /var
        mount -t tmpfs tmpfs /run
        [ -z "$PREPARE" ] || eval "$PREPARE"
        cd /
        "$@" &
        wait $!
    """

    def __init__(self, place, command, etc, package=None, var=(), users=(), prepare=""):
        self.place = place
        place.chmod(0o755)
        for folder in ("etc", "var", "var/mail", "var/tmp", *(f"var/{name}" for name in var)):
            (place / folder).mkdir(parents=True, exist_ok=True)
        (place / "var/run").symlink_to("/run")
        etc = {
            **etc, "resolv.conf": f"nameserver {NAME_SERVER}\n", "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
            "hosts": "127.0.0.1 localhost\n", "mailname": "localhost\n",
        }
        for kind in ("passwd", "group"):
            lines = [line for line in Path(f"/etc/{kind}").read_text().splitlines() if line.split(":")[0] not in dict(users)]
            for name, number in users:
                lines.append(f"{name}:x:{number}:{number}::/nonexistent:/bin/false" if kind == "passwd" else f"{name}:x:{number}:")
            etc[kind] = "\n".join(lines) + "\n"
        for name, text in etc.items():
            (place / "etc" / name).parent.mkdir(exist_ok=True)
            (place / "etc" / name).write_text(textwrap.dedent(text))
            if name.endswith(".key"):
                (place / "etc" / name).chmod(0o600)
        # Users that take mail, and none of root's.
        os.chown(place / "var/mail", 4001, 4001)
        self.log = place / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [need("unshare"), "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", self.SCRIPT, "sh", *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={
                    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "PLACE": str(place), "PACKAGE": str(package or ""),
                    "PREPARE": textwrap.dedent(prepare),
                },
            )

    def stop(self):
        """Ends it, and with it, as the first process of its namespace, all that it started."""
        self.process.kill()
        self.process.wait(timeout=30)

    def told(self):
        return self.log.read_text("utf-8", "replace")

    def check(self):
        if self.process.poll() is not None:
            pytest.fail(f"{type(self).__name__} ended:\n{self.told()[-3000:]}")


class NameServer(Contained):
    """knot, authoritative for `test.` with these records."""

    def __init__(self, place, records):
        need("knotd")
        zone = f"$ORIGIN test.\n$TTL 60\n@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A {NAME_SERVER}\n{records}"
        configuration = f"""\
            server:
                rundir: /run
                listen: {NAME_SERVER}@53
            log:
              - target: stdout
                any: info
            database:
                storage: /var/knot
            zone:
              - domain: test
                file: /etc/knot.zone
                zonefile-sync: -1
            """
        super().__init__(place, ["knotd", "-c", "/etc/knot.conf"], {"knot.conf": configuration, "knot.zone": zone}, var=["knot"])

        def is_ready():
            self.check()
            return "server started" in self.told()

        wait_until(is_ready, 20, "knot did not start")


class Peer(Contained):
    """A mail server for `domain` at `address`, with a valid certificate, and for `expired.domain` at `expired_address` with one that has
    expired. bob and carol are there, each with a Maildir; from CUSTOMER it sends mail to anybody, at once and with TLS only."""

    name = ""
    number = 0
    package = None
    # The reply to a recipient that is not there, and its enhanced status.
    refusal = ("550", "5.1.1")
    # Whether its bounces are reports as RFC 3464 has them.
    writes_reports = True
    users = [("vmail", 4001)]

    @classmethod
    def addresses(cls):
        return f"127.0.0.{cls.number}", f"127.0.0.{cls.number + 20}"

    @classmethod
    def domains(cls):
        return f"{cls.name}.test", f"expired.{cls.name}.test"

    @classmethod
    def records(cls):
        """Two servers by MX, of which the better one is dead."""
        lines = []
        for domain, address in zip(cls.domains(), cls.addresses()):
            lines += [f"{domain}. MX 5 dead", f"{domain}. MX 10 mx.{domain}.", f"mx.{domain}. A {address}"]
        return "\n".join(lines) + "\n"

    def ready(self):
        for address in self.addresses():

            def greets():
                self.check()
                try:
                    with socket.create_connection((address, 25), timeout=5) as connection:
                        return connection.recv(3) == b"220"
                except OSError:
                    return False

            wait_until(greets, 20, f"{self.name} does not greet at {address}:\n{self.told()[-3000:]}")
        with smtplib.SMTP(self.addresses()[0], 25, timeout=20) as client:
            client.ehlo()
            self.extensions = set(client.esmtp_features)
            assert {"starttls", "8bitmime"} <= self.extensions
        try:
            with smtplib.SMTP(self.addresses()[0], 25, timeout=20) as client:
                client.starttls()
                client.ehlo()
            self.has_working_tls = True
        except (OSError, smtplib.SMTPException):
            self.has_working_tls = False
        return self

    def mail(self, user):
        """The messages of a user's Maildir, oldest first, with CRLF."""
        paths = [path for folder in ("new", "cur") for path in (self.place / f"var/mail/{user}" / folder).glob("*")]
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns)]

    def wait(self, user, subject, seconds=20):
        """The one message with this in it, when it is there."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [message for message in self.mail(user) if subject in message]
            if found:
                assert len(found) == 1, f"{subject} came {len(found)} times"
                return found[0]
            self.check()
            time.sleep(0.05)
        pytest.fail(f"{subject} did not come to {user} at {self.name}:\n{self.told()[-5000:]}")

    def send(self, sender, recipients, content, options=()):
        """Gives the server a message as its customer."""
        with smtplib.SMTP(self.addresses()[0], 25, source_address=(CUSTOMER, 0), timeout=20) as client:
            refused = client.sendmail(sender, recipients, content, mail_options=options)
            assert not refused, refused


class Postfix(Peer):
    name = "postfix"
    number = 2

    def __init__(self, place, authority):
        need("postfix")
        good, bad = self.addresses()
        domain, expired = self.domains()
        master = []
        for line in Path("/usr/share/postfix/master.cf.dist").read_text().splitlines():
            words = line.split()
            if line[:1].isalpha() and len(words) >= 8:
                if words[:2] == ["smtp", "inet"]:
                    continue
                # No chroot.
                line = " ".join([*words[:4], "n", *words[5:]])
            master.append(line)
        master += [f"{good}:25 inet n - n - - smtpd", f"{bad}:25 inet n - n - - smtpd", "    -o smtpd_tls_chain_files=$expired_chain"]
        mailboxes = ", ".join(
            f"{{ {user}@{where} = {user}/ }}" for user in ("bob", "carol", "bücher") for where in (domain, expired)
        )
        main = f"""\
            compatibility_level = 3.6
            myhostname = mx.{domain}
            mydestination =
            mynetworks = {CUSTOMER}
            inet_interfaces = loopback-only
            inet_protocols = ipv4
            virtual_mailbox_domains = {domain}, {expired}
            virtual_mailbox_base = /var/mail
            virtual_mailbox_maps = inline:{{ {mailboxes} }}
            virtual_uid_maps = static:4001
            virtual_gid_maps = static:4001
            smtpd_tls_chain_files = /etc/server.pem
            expired_chain = /etc/expired.pem
            smtpd_tls_security_level = may
            smtp_tls_security_level = encrypt
            smtputf8_enable = yes
            notify_classes =
            maillog_file = /dev/stdout
            maillog_file_prefixes = /dev/stdout
            """
        etc = {
            "postfix/main.cf": main, "postfix/master.cf": "\n".join(master) + "\n", "server.pem": authority.key.read_text() + authority.valid.read_text(),
            "expired.pem": authority.key.read_text() + authority.expired.read_text(),
        }
        super().__init__(
            place, ["postfix", "start-fg"], etc, var=["spool/postfix", "lib/postfix"], users=self.users, prepare="chown postfix /var/lib/postfix",
        )


class Exim(Peer):
    name = "exim"
    number = 3
    package = "exim4-daemon-light"
    # It sends none.
    refusal = ("550 unknown user", "5.0.0")

    def __init__(self, place, authority):
        good, bad = self.addresses()
        domain, expired = self.domains()
        configuration = f"""\
            primary_hostname = mx.{domain}
            exim_user = Debian-exim
            exim_group = Debian-exim
            never_users = root
            local_interfaces = {good} : {bad}
            daemon_smtp_ports = 25
            domainlist ours = {domain} : {expired}
            hostlist customers = {CUSTOMER}
            acl_smtp_rcpt = check_rcpt
            acl_smtp_data = accept
            tls_advertise_hosts = *
            tls_certificate = ${{if eq{{$received_ip_address}}{{{bad}}}{{/etc/expired.pem}}{{/etc/server.pem}}}}
            tls_privatekey = /etc/key.pem
            smtputf8_advertise_hosts = *
            log_file_path = /var/log/exim/%slog
            spool_directory = /var/spool/exim
            host_lookup =
            rfc1413_hosts =

            begin acl
            check_rcpt:
              accept hosts = +customers
              accept domains = +ours
                     verify = recipient
              deny   message = unknown user

            begin routers
            local:
              driver = accept
              domains = +ours
              local_parts = bob : carol : bücher
              transport = maildir
            unknown:
              driver = redirect
              domains = +ours
              data = :fail: unknown user
              allow_fail
            elsewhere:
              driver = dnslookup
              domains = ! +ours
              transport = remote
              no_more

            begin transports
            remote:
              driver = smtp
              hosts_require_tls = *
              interface = {good}
            maildir:
              driver = appendfile
              directory = /var/mail/$local_part_data
              maildir_format
              user = vmail
              group = vmail

            begin retry
            * * F,1h,1s
            """
        etc = {
            "exim4/exim4.conf": configuration, "server.pem": authority.valid.read_text(), "expired.pem": authority.expired.read_text(),
            "key.pem": authority.key.read_text(),
        }
        super().__init__(
            place, ["exim4", "-bdf", "-q1s"], etc, unpacked(self.package), var=["spool/exim", "log/exim"],
            users=[*self.users, ("Debian-exim", 4002)],
            prepare="chown -R Debian-exim:Debian-exim /var/spool/exim /var/log/exim",
        )

    def told(self):
        parts = [super().told()]
        for name in ("mainlog", "paniclog", "rejectlog"):
            path = self.place / "var/log/exim" / name
            if path.exists():
                parts.append(path.read_text("utf-8", "replace"))
        return "\n".join(parts)


class OpenSMTPD(Peer):
    """In Debian 12 its process with the keys does not get on with OpenSSL 3: it offers STARTTLS, and every handshake fails. That makes
    it the server with broken TLS of these tests; as a client it encrypts."""

    name = "opensmtpd"
    number = 4
    package = "opensmtpd"
    refusal = ("550 Invalid recipient", "5.0.0")
    writes_reports = False

    def __init__(self, place, authority):
        good, bad = self.addresses()
        domain, expired = self.domains()
        configuration = f"""\
            pki good cert "/etc/ssl-own/server.pem"
            pki good key "/etc/ssl-own/server.key"
            pki bad cert "/etc/ssl-own/expired.pem"
            pki bad key "/etc/ssl-own/server.key"
            table known {{ "bob" = "4001:4001:/nonexistent", "carol" = "4001:4001:/nonexistent" }}
            listen on {good} port 25 tls pki good hostname mx.{domain}
            listen on {bad} port 25 tls pki bad hostname mx.{expired}
            action "local" maildir "/var/mail/%{{rcpt.user}}" userbase <known>
            action "elsewhere" relay tls no-verify helo mx.{domain} src {good}
            match from any for domain {domain} action "local"
            match from any for domain {expired} action "local"
            match from src {CUSTOMER} for any action "elsewhere"
            match from local for any action "elsewhere"
            """
        etc = {
            "smtpd.conf": configuration, "ssl-own/server.pem": authority.valid.read_text(), "ssl-own/expired.pem": authority.expired.read_text(),
            "ssl-own/server.key": authority.key.read_text(),
        }
        super().__init__(
            place, ["smtpd", "-d"], etc, unpacked(self.package), var=["lib/opensmtpd/empty", "spool/smtpd"],
            users=[*self.users, ("opensmtpd", 4003), ("opensmtpq", 4004)], prepare="chmod 711 /var/spool/smtpd",
        )
