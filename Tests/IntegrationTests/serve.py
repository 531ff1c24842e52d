"""`martlet serve` with a configuration file, for tests that change it."""

import json
import signal
import socket
import ssl
import subprocess

from conftest import BINARY, free_port_base, wait_until

PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}


class Server:
    """`martlet serve` with a configuration file, which tests may write anew."""

    def __init__(self, directory, settings, base=None):
        self.directory = directory
        self.base = base or free_port_base()
        self.file = directory / "martlet.yaml"
        self.settings = {
            "server.data-directory": directory / "data", "server.hostname": "mail.example.test", "dns.servers": "none", "auth.plaintext-from-loopback": "true",
            **{f"listeners.{name}": f"127.0.0.1:{self.base + number}" for name, number in PORTS.items()},
            "listeners.acme": f"127.0.0.1:{self.base + 80}", "listeners.acme-tls": f"127.0.0.1:{self.base + 443}", **settings,
        }
        self.write()
        self.log = directory / "data/log"
        self.process = None
        self.start()

    def write(self, **changes):
        self.settings.update({key.replace("__", ".").replace("_", "-"): value for key, value in changes.items()})
        self.file.write_text("".join(f"{key}: {json.dumps(str(value))}\n" for key, value in self.settings.items()))

    def start(self):
        self.process = subprocess.Popen([str(BINARY), "serve", "--config", str(self.file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_until(lambda: self.answers() or self.process.poll() is not None, 30, "the server does not start")
        assert self.process.poll() is None, self.process.stdout.read().decode()

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port("imaps")), timeout=1).close()
            return (self.directory / "data/control.sock").exists()
        except OSError:
            return False

    def port(self, service):
        return self.base + PORTS[service]

    def reload(self):
        """SIGHUP; gives what is logged of it."""
        before = self.log.read_bytes().count(b"reloaded")
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.read_bytes().count(b"reloaded") > before, 10, "nothing is logged of a SIGHUP")
        return self.log.read_text().splitlines()[-1]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code

    def command(self, *words, check=True):
        done = subprocess.run([str(BINARY), *words, "--config", str(self.file)], capture_output=True, text=True, timeout=60)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done


def blind():
    """A client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shown(port, name=None, context=None):
    """The certificate that a client gets which asks for `name`, DER."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with (context or blind()).wrap_socket(plain, server_hostname=name) as secure:
            return secure.getpeercert(binary_form=True)


def der(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())
