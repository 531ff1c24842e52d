"""An ACME authority: Debian's pebble, with names that all lead to this machine."""

import json
import os
import socket
import ssl
import subprocess
import urllib.request

from conftest import need, wait_until


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Pebble:
    """`port` is its directory's; proofs are looked for at `web` and `tls`."""

    def __init__(self, directory, authority, web, tls, port=None, lifetime=7_776_000, refused_nonces=0, external=None):
        directory.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.management = free_port()
        self.directory = f"https://127.0.0.1:{self.port}/dir"
        self.authority = authority
        names = free_port(socket.SOCK_DGRAM)
        self.names_management = free_port()
        certificate, key = authority.issue("127.0.0.1", "localhost", file="pebble")
        settings = {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}", "certificate": str(certificate),
            "privateKey": str(key), "httpPort": web, "tlsPort": tls, "ocspResponderURL": "", "certificateValidityPeriod": lifetime,
            "externalAccountBindingRequired": external is not None, "externalAccountMACKeys": external or {},
        }
        file = directory / "pebble.json"
        file.write_text(json.dumps({"pebble": settings}))
        self.log = open(directory / "pebble.log", "ab")
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": str(refused_nonces), "PEBBLE_AUTHZREUSE": "0"}
        self.processes = [
            subprocess.Popen(
                [need("pebble-challtestsrv"), "-dns01", f"127.0.0.1:{names}", "-http01", "", "-https01", "", "-tlsalpn01", "", "-management",
                 f"127.0.0.1:{self.names_management}", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""],
                stdout=self.log, stderr=self.log,
            ),
            subprocess.Popen(
                [need("pebble"), "-strict", "-config", str(file), "-dnsserver", f"127.0.0.1:{names}"], stdout=self.log, stderr=self.log, env=environment
            ),
        ]
        wait_until(lambda: self.answers(), 15, "pebble does not start")

    def answers(self):
        for port in (self.port, self.management, self.names_management):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
        return True

    def lead(self, name, address=None):
        """Where a name leads from now on; None: to this machine."""
        question = {"host": name + ".", **({"addresses": [address]} if address else {})}
        url = f"http://127.0.0.1:{self.names_management}/{'add-a' if address else 'clear-a'}"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(question).encode()), timeout=10).close()

    def root(self):
        """The root of what it issues, PEM: made anew at each start."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        with urllib.request.urlopen(f"https://127.0.0.1:{self.management}/roots/0", context=context, timeout=10) as answer:
            return answer.read().decode()

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.log.close()
