"""TLS: the certificate by the name that a client asks for, modern ciphers alone, and new certificates without a restart."""

import base64
import hashlib
import imaplib
import os
import poplib
import smtplib
import socket
import ssl
import subprocess

import pytest

from authority import Authority
from conftest import BINARY, free_port_base, need, run
from serve import PORTS, Server, blind, der, shown


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def named(*pairs):
    return ",".join(f"{certificate}:{key}" for certificate, key in pairs)


# The name in the ClientHello


@pytest.fixture
def several(make_server, authority):
    """A server with a certificate for everybody and two by name; with it the certificates."""
    standard = authority.issue("mail.example.test")
    exact = authority.issue("imap.example.net", key="rsa")
    wildcard = authority.issue("*.example.net", "example.net")
    server = make_server(tls__certificate=standard[0], tls__key=standard[1], tls__certificates=named(wildcard, exact))
    server.command("domain", "add", "example.test")
    done = subprocess.run(
        [str(BINARY), "account", "add", "anna@example.test", "--config", str(server.file), "--password-stdin"], input=b"correct horse\n", capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    yield server, {"standard": der(standard[0]), "exact": der(exact[0]), "wildcard": der(wildcard[0])}
    assert server.stop() == 0


NAMES = [
    ("mail.example.test", "standard"), ("imap.example.net", "exact"), ("IMAP.Example.NET", "exact"), ("smtp.example.net", "wildcard"),
    ("example.net", "wildcard"), ("a.b.example.net", "standard"), ("unknown.test", "standard"), (None, "standard"),
]


def test_the_name_in_the_client_hello_chooses_the_certificate(several):
    server, certificates = several
    for service in ("imaps", "submissions", "pop3s"):
        for name, which in NAMES:
            assert shown(server.port(service), name) == certificates[which], (service, name)
    # An old client asks in TLS 1.2.
    context = blind()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shown(server.port("imaps"), "imap.example.net", context) == certificates["exact"]


def test_the_name_chooses_behind_starttls_too(several, authority):
    server, certificates = several
    context = ssl.create_default_context(cafile=authority.certificate)
    for name, which in (("imap.example.net", "exact"), ("smtp.example.net", "wildcard"), ("mail.example.test", "standard")):
        for service in ("smtp", "submission"):
            with smtplib.SMTP("127.0.0.1", server.port(service)) as client:
                client._host = name
                client.starttls(context=context)
                assert client.sock.getpeercert(binary_form=True) == certificates[which]
                assert client.ehlo()[0] == 250
        with imaplib.IMAP4("127.0.0.1", server.port("imap")) as client:
            client.host = name
            client.starttls(ssl_context=context)
            assert client.sock.getpeercert(binary_form=True) == certificates[which]
            assert client.noop()[0] == "OK"
        client = poplib.POP3("127.0.0.1", server.port("pop3"))
        client.host = name
        client.stls(context=context)
        assert client.sock.getpeercert(binary_form=True) == certificates[which]
        assert client.quit().startswith(b"+OK")


def scram_plus(sock, user, password, certificate):
    """SCRAM-SHA-256-PLUS by IMAP with the binding of `certificate`; gives the tagged line."""
    import hmac

    stream = sock.makefile("rwb")
    stream.readline()
    bare = f"n={user},r=fyko+d2lbbFgONRv9qkxdawL"
    header = "p=tls-server-end-point,,"
    stream.write(b"a AUTHENTICATE SCRAM-SHA-256-PLUS " + base64.b64encode((header + bare).encode()) + b"\r\n")
    stream.flush()
    line = stream.readline()
    assert line.startswith(b"+ "), line
    first = base64.b64decode(line[2:]).decode()
    fields = dict(part.split("=", 1) for part in first.split(","))
    binding = base64.b64encode(header.encode() + hashlib.sha256(certificate).digest()).decode()
    final = f"c={binding},r={fields['r']}"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), f"{bare},{first},{final}".encode(), "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    stream.write(base64.b64encode(f"{final},p={proof}".encode()) + b"\r\n")
    stream.flush()
    line = stream.readline()
    if line.startswith(b"+ "):
        stream.write(b"\r\n")
        stream.flush()
        line = stream.readline()
    return line.decode()


def test_channel_binding_is_to_the_certificate_that_was_shown(several):
    server, certificates = several
    for name, which in (("imap.example.net", "exact"), ("smtp.example.net", "wildcard"), (None, "standard")):
        for bound in certificates:
            with socket.create_connection(("127.0.0.1", server.port("imaps")), timeout=10) as plain:
                with blind().wrap_socket(plain, server_hostname=name) as secure:
                    line = scram_plus(secure, "anna@example.test", "correct horse", certificates[bound])
                    assert line.startswith("a OK" if bound == which else "a NO"), (name, bound, line)


def test_a_client_hello_in_pieces_or_cut_off(several):
    server, certificates = several
    # Octet by octet, by way of memory.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = blind().wrap_bio(incoming, outgoing, server_hostname="imap.example.net")
    with socket.create_connection(("127.0.0.1", server.port("imaps")), timeout=10) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    plain.sendall(bytes([byte]))
                incoming.write(plain.recv(65536))
        assert client.getpeercert(binary_form=True) == certificates["exact"]
    # A hello that is none, or that ends before its end, is answered by no command's reply, and the next client is served.
    for octets in (b"\x16\x03\x01\x20\x00a LOGIN anna@example.test x\r\n", b"a LOGIN x y\r\n", b"\x16\x03", b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", b"\x16\x03\x01\x00\x00"):
        with socket.create_connection(("127.0.0.1", server.port("imap")), timeout=10) as plain:
            plain.recv(4096)
            plain.sendall(b"a STARTTLS\r\n")
            assert plain.recv(4096).startswith(b"a OK")
            plain.sendall(octets)
            plain.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := plain.recv(4096):
                answer += piece
            assert b"a NO" not in answer and b"a OK" not in answer and b"BAD" not in answer, answer
    assert shown(server.port("imaps"), "imap.example.net") == certificates["exact"]


# New certificates


def test_sighup_replaces_all_certificates_or_none_and_no_connection_ends(make_server, authority, tmp_path):
    first = authority.issue("mail.example.test", file="first")
    second = authority.issue("imap.example.net", file="second")
    server = make_server(tls__certificate=first[0], tls__key=first[1], tls__certificates=named(second))
    port = server.port("imaps")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, blind().wrap_socket(plain, server_hostname="imap.example.net") as held:
        assert held.recv(4096).startswith(b"* OK")

        def is_alive():
            held.sendall(b"n NOOP\r\n")
            return held.recv(4096).startswith(b"n OK")

        old = der(first[0]), der(second[0])
        # One is renewed where it lies, one has become unreadable: nothing changes, and the log says which and why.
        authority.issue("mail.example.test", file="first")
        good_key = second[1].read_text()
        second[1].write_text("no key")
        line = server.reload()
        assert "not reloaded: the old certificates stay" in line and str(second[1]) in line and "tls.certificates" in line, line
        assert (shown(port), shown(port, "imap.example.net")) == old and is_alive()
        # A key of another certificate.
        second[1].write_text(first[1].read_text())
        line = server.reload()
        assert "do not go together" in line and str(second[0]) in line, line
        assert (shown(port), shown(port, "imap.example.net")) == old
        second[1].write_text(good_key)
        # All are good: both are new, with a third.
        third = authority.issue("*.other.test", file="third")
        authority.issue("imap.example.net", file="second")
        server.write(tls__certificates=named(second, third))
        line = server.reload()
        assert "not reloaded" not in line and "certificates=3" in line, line
        assert shown(port) == der(first[0]) != old[0]
        assert shown(port, "imap.example.net") == der(second[0]) != old[1]
        assert shown(port, "mx.other.test") == der(third[0])
        assert is_alive()
    assert server.stop() == 0


@pytest.mark.parametrize(
    "value, said",
    [
        ("/nowhere.pem:/nowhere.key", "tls.certificates: /nowhere.pem cannot be read"),
        ("/only-one.pem", "write CERTIFICATE:KEY"),
        ("NAMELESS", "has no DNS name in its subjectAltName"),
    ],
)
def test_a_pair_that_cannot_be_used_is_told_at_the_start(binary, authority, tmp_path, value, said):
    if value == "NAMELESS":
        value = named(authority.issue(file="nameless"))
    done = subprocess.run(
        [str(BINARY), "serve", "--set", f"server.data-directory={tmp_path / 'data'}", "--set", f"tls.certificates={value}"],
        capture_output=True, text=True, timeout=30,
        env={**os.environ, **{f"MARTLET_LISTENERS_{name.upper()}": "none" for name in PORTS if name != "imap"}, "MARTLET_LISTENERS_IMAP": f"127.0.0.1:{free_port_base() + 143}"},
    )
    assert done.returncode == 2 and said in done.stderr, done.stderr


# Ciphers and versions

MODERN = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
}


def test_only_ciphers_with_forward_secrecy_and_authentication(several):
    server, _ = several
    offered = run(need("openssl"), "ciphers", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").strip().splitlines()[-1].split(":")
    taken = set()
    for cipher in offered:
        for name in ("mail.example.test", "imap.example.net"):
            context = blind()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            try:
                context.set_ciphers(f"{cipher}:@SECLEVEL=0")
            except ssl.SSLError:
                continue
            try:
                shown(server.port("imaps"), name, context)
                taken.add(cipher)
            except (ssl.SSLError, ConnectionError):
                pass
    assert taken == MODERN


@pytest.mark.parametrize("version, is_taken", [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_tls_1_2_and_1_3_and_nothing_older(several, version, is_taken):
    server, _ = several
    command = [need("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port('imaps')}", version, "-servername", "imap.example.net", "-brief"]
    if not is_taken:
        command += ["-cipher", "ALL:@SECLEVEL=0"]
    done = subprocess.run(command, input=b"a LOGOUT\r\n", capture_output=True, timeout=30)
    assert (b"CONNECTION ESTABLISHED" in done.stdout + done.stderr) == is_taken, done.stdout + done.stderr
