"""Debian's Postfix and Dovecot in a directory of their own, on high ports of loopback, fsync on everywhere.

They are tuned as their manuals advise, so that defaults meant for small machines do not hold them back; `TUNING` says what.
Nothing under /etc is read or written, and no system service is touched.
"""
import os
import shutil
import subprocess
import time
from pathlib import Path

from .accounting import Account
from .ports import must_be_free, wait_for_port

TUNING = [
    "Dovecot: login processes in high-performance mode (`service_count = 0`, two of them), authentication cache on, passwords"
    " compared in plain text (a login costs no hashing), `client_limit` and `process_limit` raised to what the loads need",
    "Dovecot: `mail_fsync = always`, `maildir_very_dirty_syncs = yes`, `mailbox_list_index = yes`; plug-ins, quota, statistics off",
    "Postfix: `in_flow_delay = 0`, `initial_destination_concurrency = 20`, limits of connections and processes raised, recipient"
    " and domain maps in hash files, IPv4 only; queue fsync as shipped (it cannot be turned off)",
    "both: logging to a file of their own, as by default in production",
]

VMAIL = 5000


def version(command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return "absent"


class Dovecot:
    def __init__(self, directory, ports, users, domain="example.test", password="secret", mail_format="maildir", reuse=1):
        self.directory = Path(directory)
        self.ports = ports
        self.users = users
        self.domain = domain
        self.password = password
        self.mail_format = mail_format
        self.reuse = reuse
        self.account = None
        self.process = None

    def homes(self):
        return self.directory / "mail"

    def mail_location(self):
        home = f"{self.homes()}/%n"
        return {"maildir": f"maildir:{home}/Maildir", "sdbox": f"sdbox:{home}/sdbox", "mdbox": f"mdbox:{home}/mdbox"}[self.mail_format]

    def configure(self):
        d = self.directory
        d.mkdir(parents=True, exist_ok=True)
        d.chmod(0o755)
        self.homes().mkdir(exist_ok=True)
        os.chown(self.homes(), VMAIL, VMAIL)
        with open(d / "passwd", "w") as f:
            for n in range(1, self.users + 1):
                f.write(f"user{n:04d}@{self.domain}:{{PLAIN}}{self.password}:{VMAIL}:{VMAIL}::{self.homes()}/user{n:04d}::\n")
        if not (d / "key.pem").exists():
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                 "-subj", "/CN=localhost", "-keyout", str(d / "key.pem"), "-out", str(d / "cert.pem")],
                check=True, capture_output=True)
        (d / "dovecot.conf").write_text(f"""
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/dovecot.log
instance_name = martlet-bench
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{d}/cert.pem
ssl_key = <{d}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 16 M
auth_verbose = no
mail_location = {self.mail_location()}
mail_uid = {VMAIL}
mail_gid = {VMAIL}
first_valid_uid = {VMAIL}
mail_fsync = always
maildir_very_dirty_syncs = yes
mailbox_list_index = yes
mail_max_userip_connections = 20000
default_client_limit = 20000
default_process_limit = 8000
default_vsz_limit = 4G
stats_writer_socket_path =
passdb {{
  driver = passwd-file
  args = {d}/passwd
}}
userdb {{
  driver = passwd-file
  args = {d}/passwd
}}
namespace inbox {{
  inbox = yes
  mailbox Archive {{
    auto = create
  }}
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 10000
  inet_listener imap {{
    port = {self.ports['imap']}
  }}
  inet_listener imaps {{
    port = {self.ports['imaps']}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 10000
  inet_listener pop3 {{
    port = {self.ports['pop3']}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  process_limit = 6000
  process_min_avail = 4
  service_count = {self.reuse}
}}
service pop3 {{
  process_limit = 1000
  process_min_avail = 4
  service_count = {self.reuse}
}}
service lmtp {{
  process_min_avail = 4
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service anvil {{
  client_limit = 20000
}}
service auth {{
  client_limit = 20000
}}
""")

    def start(self):
        must_be_free(*self.ports.values())
        self.configure()
        self.account = self.account or Account("dovecot")
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", str(self.directory / "dovecot.conf")], preexec_fn=self.account.enter,
            stdout=open(self.directory / "out", "w"), stderr=subprocess.STDOUT, start_new_session=True)
        self.account.roots = [self.process.pid]
        wait_for_port(self.ports["imap"], self.process, self.directory / "out")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        if self.account:
            self.account.close()
        self.process = self.account = None


class Postfix:
    def __init__(self, directory, port, lmtp_socket, users, domain="example.test", transport=None, routes=None):
        self.directory = Path(directory)
        self.port = port
        self.transport = transport or f"lmtp:unix:{lmtp_socket}"
        self.users = users
        self.domain = domain
        self.routes = routes or {}
        self.account = None
        self.master = None

    def configure(self):
        d = self.directory
        etc = d / "etc"
        for path in (d, etc, d / "queue", d / "data"):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)
        shutil.chown(d / "data", "postfix")
        for name in ("dynamicmaps.cf", "postfix-files"):
            if Path("/etc/postfix", name).exists():
                shutil.copy(Path("/etc/postfix", name), etc / name)
            elif not (etc / name).exists():
                (etc / name).touch()
        (etc / "users").write_text("".join(f"user{n:04d}@{self.domain} x\n" for n in range(1, self.users + 1)))
        (etc / "transport").write_text("".join(f"{name} smtp:[127.0.0.1]:{port}\n" for name, port in self.routes.items()))
        (etc / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = {etc}
maillog_file = {d}/maillog
maillog_file_prefixes = {d}
mail_owner = postfix
setgid_group = postdrop
default_database_type = hash
myhostname = mx.{self.domain}
mydestination =
local_recipient_maps =
local_transport = error:no local mail
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {self.domain}
virtual_mailbox_maps = hash:{etc}/users
virtual_transport = {self.transport}
transport_maps = hash:{etc}/transport
smtpd_tls_security_level = none
smtpd_peername_lookup = no
disable_dns_lookups = yes
biff = no
in_flow_delay = 0
initial_destination_concurrency = 20
default_process_limit = 200
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
""")
        (etc / "master.cf").write_text(f"""
127.0.0.1:{self.port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")
        subprocess.run(["postmap", "-c", str(etc), f"hash:{etc}/users", f"hash:{etc}/transport"], check=True)

    def start(self):
        must_be_free(self.port)
        self.configure()
        self.account = self.account or Account("postfix")
        command = ["postfix", "-c", str(self.directory / "etc"), "start"]
        done = subprocess.run(command, preexec_fn=self.account.enter, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"postfix did not start: {done.stdout}{done.stderr}{self._log()}")
        wait_for_port(self.port, None, self.directory / "maillog")
        self.master = int((self.directory / "queue/pid/master.pid").read_text())
        self.account.roots = [self.master]

    def _log(self):
        try:
            return (self.directory / "maillog").read_text()[-2000:]
        except OSError:
            return ""

    def stop(self):
        if self.master:
            subprocess.run(["postfix", "-c", str(self.directory / "etc"), "stop"], capture_output=True)
            for _ in range(100):
                if not os.path.exists(f"/proc/{self.master}"):
                    break
                time.sleep(0.1)
        if self.account:
            self.account.close()
        self.master = self.account = None
