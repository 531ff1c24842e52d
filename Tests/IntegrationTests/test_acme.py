"""Certificates from an authority by ACME: pebble, and one that is down, slow to please, or full."""

import http.server
import imaplib
import json
import os
import socket
import ssl
import stat
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from authority import Authority
from conftest import BINARY, free_port_base, wait_until
from pebble import Pebble, free_port
from serve import blind, shown

NAMES = ["mail.example.test", "imap.example.net"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def make_pebble(tmp_path, authority):
    made = []

    def make(base, **named):
        made.append(Pebble(tmp_path / "pebble", authority, base + 80, base + 443, **named))
        return made[-1]

    yield make
    for one in made:
        one.close()


def settings(directory, authority, **more):
    return {
        "acme__directory": directory, "acme__ca_certificates": authority.certificate, "acme__agree_to_terms": "true", "acme__contact": "post@example.test",
        "acme__names": ",".join(NAMES), "acme__first_retry": "1s", **more,
    }


def listed(server):
    """What `martlet certificate list` says: the exit code, and the certificates by their first name."""
    done = server.command("certificate", "list", "--json", check=False)
    views = sorted(json.loads(done.stdout), key=lambda view: view["source"] == "acme")
    return done.returncode, {view["names"][0]: view for view in views}


def trusting(pebble):
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=pebble.root())
    return context


def subject(port, name, context):
    """The verified certificate that a client gets which asks for `name`."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            return secure.getpeercert()


def issued(server, names=NAMES, seconds=40):
    def all_are_there():
        _, views = listed(server)
        return all(name in views and views[name].get("notAfter") and views[name]["source"] == "acme" for name in names)

    wait_until(all_are_there, seconds, "no certificates were issued")


class Held:
    """An IMAP session that stays."""

    def __init__(self, server):
        self.plain = socket.create_connection(("127.0.0.1", server.port("imaps")), timeout=10)
        self.secure = blind().wrap_socket(self.plain, server_hostname=NAMES[0])
        assert self.secure.recv(4096).startswith(b"* OK")

    def is_alive(self):
        self.secure.sendall(b"n NOOP\r\n")
        return self.secure.recv(4096).startswith(b"n OK")


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_certificates_are_issued_shown_and_renewed_while_a_connection_stays(make_server, make_pebble, authority, challenge):
    base = free_port_base()
    # Every second nonce is refused.
    pebble = make_pebble(base, refused_nonces=50)
    server = make_server(base, **settings(pebble.directory, authority, acme__challenge=challenge))
    held = Held(server)
    issued(server)
    context = trusting(pebble)
    for name in NAMES:
        for service in ("imaps", "submissions", "pop3s"):
            assert ("DNS", name) in subject(server.port(service), name, context)["subjectAltName"]
    # The first is for everybody.
    assert ssl.DER_cert_to_PEM_cert(shown(server.port("imaps"))) == ssl.DER_cert_to_PEM_cert(shown(server.port("imaps"), NAMES[0]))
    code, views = listed(server)
    assert code == 0 and views[NAMES[0]]["isStandard"] and not views[NAMES[1]]["isStandard"]
    assert "certificates: 2, the first ends" in server.command("status").stdout
    # Kept for the owner alone.
    kept = server.directory / "data/tls/acme"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    files = sorted(kept.iterdir())
    assert {file.suffix for file in files} == {".pem", ".json", ".key"}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files), files
    # Renewed by hand, with a key of its own: nobody is cut off.
    before = {name: shown(server.port("imaps"), name) for name in NAMES}
    done = server.command("certificate", "renew", NAMES[1])
    assert NAMES[1] in done.stdout
    assert shown(server.port("imaps"), NAMES[0]) == before[NAMES[0]]
    assert shown(server.port("imaps"), NAMES[1]) != before[NAMES[1]]
    assert held.is_alive()
    now = shown(server.port("imaps"), NAMES[1])
    # The next start shows what is kept, and asks for nothing.
    assert server.stop() == 0
    asked = server.log.read_text().count("asking for a certificate")
    server.start()
    assert shown(server.port("imaps"), NAMES[1]) == now
    assert ("DNS", NAMES[0]) in subject(server.port("imaps"), NAMES[0], context)["subjectAltName"]
    assert server.log.read_text().count("asking for a certificate") == asked
    assert server.stop() == 0
    assert b"PRIVATE KEY" not in server.log.read_bytes()


def test_a_certificate_is_renewed_by_itself_after_two_thirds_of_its_lifetime(make_server, make_pebble, authority):
    base = free_port_base()
    pebble = make_pebble(base, lifetime=12)
    server = make_server(base, **settings(pebble.directory, authority, acme__names=NAMES[0]))
    issued(server, NAMES[:1])
    held = Held(server)
    first = shown(server.port("imaps"), NAMES[0])
    wait_until(lambda: shown(server.port("imaps"), NAMES[0]) != first, 15, "it was not renewed")
    assert held.is_alive()
    context = trusting(pebble)
    assert ssl.cert_time_to_seconds(subject(server.port("imaps"), NAMES[0], context)["notAfter"]) > time.time()
    assert server.stop() == 0


def test_a_certificate_that_lives_for_days_is_no_alarm(make_server, make_pebble, authority):
    base = free_port_base()
    pebble = make_pebble(base, lifetime=3 * 86_400)
    server = make_server(base, **settings(pebble.directory, authority, acme__names=NAMES[0]))
    issued(server, NAMES[:1])
    # The next start looks at it first of all.
    assert server.stop() == 0
    server.start()
    status = server.command("status").stdout
    assert "certificates: 1, " in status and "alarms: none" in status, status
    assert server.stop() == 0


def test_an_authority_that_is_down_is_told_and_tried_again(make_server, make_pebble, authority):
    base = free_port_base()
    port = free_port()
    server = make_server(base, **settings(f"https://127.0.0.1:{port}/dir", authority, acme__names=NAMES[0]))
    view = wait_until(lambda: listed(server)[1][NAMES[0]] if listed(server)[1][NAMES[0]].get("problem") else None, 20)
    assert "the authority at 127.0.0.1 cannot be reached: Connection refused" == view["problem"], view
    assert "tried again" in view["remedy"] and view["failures"] >= 1 and view["nextAttempt"]
    code, views = listed(server)
    assert code == 1
    # Clients get the server's own certificate meanwhile.
    views = json.loads(server.command("certificate", "list", "--json", check=False).stdout)
    assert [(view["source"], view["isStandard"]) for view in views] == [("own", True), ("acme", False)]
    told = server.command("status").stdout
    assert "cannot be reached" in told and NAMES[0] in told, told
    log = server.log.read_text()
    assert "no certificate was issued" in log and "there is none yet" in log
    done = server.command("certificate", "renew", check=False)
    assert done.returncode == 3 and "cannot be reached" in done.stderr, done.stderr
    # It comes back.
    pebble = make_pebble(base, port=port)
    issued(server, NAMES[:1])
    code, views = listed(server)
    assert code == 0 and "problem" not in views[NAMES[0]]
    assert subject(server.port("imaps"), NAMES[0], trusting(pebble))
    # And goes: the certificate stays.
    pebble.close()
    pebble.processes = []
    shown_before = shown(server.port("imaps"), NAMES[0])
    assert server.command("certificate", "renew", check=False).returncode == 3
    assert shown(server.port("imaps"), NAMES[0]) == shown_before
    assert "the old one is shown on, until" in server.log.read_text()
    assert server.stop() == 0


class Full(http.server.ThreadingHTTPServer):
    """An authority that says rateLimited to every order."""

    def __init__(self, authority, retry_after):
        self.orders = 0
        self.retry_after = retry_after
        # Whether it says nothing at all, from the directory on; and whether somebody waits for that.
        self.hangs = False
        self.is_waited_for = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in {"Replay-Nonce": "bm9uY2U", "Content-Length": len(body), **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_GET(self):
                if self.server.hangs:
                    self.server.is_waited_for.set()
                    return threading.Event().wait(60)
                url = f"https://127.0.0.1:{self.server.server_port}"
                self.answer(200, json.dumps({"newNonce": url + "/nonce", "newAccount": url + "/account", "newOrder": url + "/order"}).encode())

            def do_HEAD(self):
                self.answer(200)

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/account":
                    return self.answer(201, b"{}", Location=f"https://127.0.0.1:{self.server.server_port}/account/1")
                self.server.orders += 1
                problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates\x1b[2J for example.test"}
                self.answer(429, json.dumps(problem).encode(), Content_Type="application/problem+json", Retry_After=self.server.retry_after)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        certificate, key = authority.issue("127.0.0.1", file="full")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def test_an_authority_that_is_full_is_left_alone_for_as_long_as_it_says(make_server, authority):
    full = Full(authority, 7_200)
    server = make_server(**settings(f"https://127.0.0.1:{full.server_port}/dir", authority, acme__names=NAMES[0]))
    wait_until(lambda: listed(server)[1][NAMES[0]].get("problem"), 20)
    view = listed(server)[1][NAMES[0]]
    assert "429" in view["problem"] and "too many certificates" in view["problem"] and "limit of the authority's" in view["remedy"]
    at = time.mktime(time.strptime(view["nextAttempt"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert 7_100 < at - time.time() < 7_300
    # Nor does a new start ask again.
    assert server.stop() == 0
    server.start()
    again = wait_until(lambda: listed(server)[1][NAMES[0]], 20)
    assert (again["failures"], again["nextAttempt"]) == (1, view["nextAttempt"])
    assert server.log.read_text().count("asking for a certificate") == 1
    done = server.command("certificate", "renew", check=False)
    assert done.returncode == 1 and "limit of the authority's" in done.stderr and "\x1b" not in done.stderr, done.stderr
    assert full.orders == 2
    done = server.command("certificate", "list", check=False)
    assert done.returncode == 1 and "too many certificates" in done.stdout and "\x1b" not in done.stdout
    assert b"\x1b" not in server.log.read_bytes()
    assert server.stop() == 0
    full.shutdown()


def history(server, name=NAMES[0]):
    return json.loads((server.directory / f"data/tls/acme/{name}.json").read_text())


def test_a_moment_from_a_clock_that_was_ahead_does_not_end_renewal(make_server, authority):
    full = Full(authority, 7_200)
    server = make_server(**settings(f"https://127.0.0.1:{full.server_port}/dir", authority, acme__names=NAMES[0]))
    wait_until(lambda: listed(server)[1][NAMES[0]].get("problem"), 20)
    assert server.stop() == 0 and full.orders == 1
    kept = history(server)
    kept["notBefore"] = int((time.time() + 365 * 86_400) * 1e6)
    (server.directory / f"data/tls/acme/{NAMES[0]}.json").write_text(json.dumps(kept))
    server.start()
    wait_until(lambda: full.orders == 2 and history(server)["failures"] == 2, 20, "it was not asked")
    assert server.stop() == 0
    assert history(server)["notBefore"] < (time.time() + 86_400) * 1e6
    full.shutdown()


def test_a_server_that_ends_gives_up_what_it_asks_for_and_has_not_failed(make_server, authority):
    full = Full(authority, 1)
    full.hangs = True
    server = make_server(**settings(f"https://127.0.0.1:{full.server_port}/dir", authority, acme__names=NAMES[0], acme__first_retry="1h"))

    def ends():
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        return history(server)

    assert full.is_waited_for.wait(20)
    kept = ends()
    assert kept["failures"] == 0 and "problem" not in kept
    # Also what somebody asked for by hand.
    full.hangs = False
    server.start()
    wait_until(lambda: listed(server)[1][NAMES[0]].get("problem"), 20)
    full.is_waited_for.clear()
    full.hangs = True
    by_hand = subprocess.Popen([str(BINARY), "certificate", "renew", "--config", str(server.file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert full.is_waited_for.wait(20)
    kept = ends()
    assert by_hand.wait(20) != 0
    assert kept["failures"] == 1 and "429" in kept["problem"]
    assert server.log.read_text().count("no certificate was issued") == 1
    full.shutdown()


def test_nobody_is_shown_the_certificate_of_another_name_while_the_first_cannot_be_verified(make_server, make_pebble, authority):
    base = free_port_base()
    pebble = make_pebble(base)
    pebble.lead(NAMES[0], "127.0.0.99")
    server = make_server(base, **settings(pebble.directory, authority, acme__first_retry="1h"))
    issued(server, NAMES[1:])
    wait_until(lambda: listed(server)[1][NAMES[0]].get("problem"), 30)
    own = ssl.PEM_cert_to_DER_cert((server.directory / "data/tls/server.pem").read_text())
    for name in (None, NAMES[0], "other.test"):
        assert shown(server.port("imaps"), name) == own
    assert subject(server.port("imaps"), NAMES[1], trusting(pebble))
    # Nor after another start.
    assert server.stop() == 0
    server.start()
    assert shown(server.port("imaps")) == own == shown(server.port("imaps"), NAMES[0])
    views = json.loads(server.command("certificate", "list", "--json", check=False).stdout)
    assert [(view["source"], view["isStandard"]) for view in views] == [("own", True), ("acme", False), ("acme", False)]
    # When it is there it is for everybody, and the server's own goes.
    pebble.lead(NAMES[0])
    server.command("certificate", "renew", NAMES[0])
    first = shown(server.port("imaps"), NAMES[0])
    assert first != own and first == shown(server.port("imaps")) == shown(server.port("imaps"), "other.test")
    code, views = listed(server)
    assert code == 0 and {view["source"] for view in views.values()} == {"acme"} and views[NAMES[0]]["isStandard"]
    assert server.stop() == 0


def test_a_proof_that_the_authority_does_not_find_is_told_with_where_to_look(make_server, make_pebble, authority):
    base = free_port_base()
    pebble = make_pebble(base)
    # The authority looks elsewhere, where nobody answers.
    server = make_server(base, **settings(pebble.directory, authority, acme__names=NAMES[0], listeners__acme=f"127.0.0.1:{free_port()}", acme__first_retry="1h"))
    wait_until(lambda: listed(server)[1][NAMES[0]].get("problem"), 30)
    view = listed(server)[1][NAMES[0]]
    assert f"could not verify {NAMES[0]} by http-01" in view["problem"] and "port 80 is open from outside" in view["remedy"], view
    assert server.stop() == 0


def test_the_port_for_proofs_has_nothing_else(make_server, make_pebble, authority):
    base = free_port_base()
    server = make_server(base, **settings(f"https://127.0.0.1:{free_port()}/dir", authority))
    for path in ("/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/none", "/.well-known/acme-challenge/../../etc/passwd"):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://127.0.0.1:{base + 80}{path}", timeout=10)
        assert error.value.code == 404
    for octets in (b"GET /" + b"a" * 200_000, b"\x00" * 1_000, b"GET / HTTP/9.9\r\n\r\n", b"POST /.well-known/acme-challenge/x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", base + 80), timeout=10) as plain:
            try:
                plain.sendall(octets)
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(65_536):
                    pass
            except OSError:
                pass
    # Eight addresses that hold all that they may keep a ninth out for no moment.
    held = [socket.create_connection(("127.0.0.1", base + 80), timeout=10, source_address=(f"127.0.0.{2 + number // 32}", 0)) for number in range(256)]
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"http://127.0.0.1:{base + 80}/", timeout=10)
    assert error.value.code == 404
    for connection in held:
        connection.close()
    with socket.create_connection(("127.0.0.1", base + 80), timeout=10):
        assert server.stop() == 0


@pytest.mark.parametrize(
    "setting, said",
    [
        ({"acme__agree_to_terms": "false"}, "set acme.agree-to-terms to true"),
        ({"acme__ca_certificates": "/nowhere.pem"}, "/nowhere.pem cannot be read"),
        ({"acme__ca_certificates": ""}, "certificate that is not trusted here"),
    ],
)
def test_what_has_to_be_set_first_is_told(make_server, make_pebble, authority, setting, said):
    base = free_port_base()
    pebble = make_pebble(base)
    server = make_server(base, **settings(pebble.directory, authority, **{"acme__names": NAMES[0], "acme__first_retry": "1h", **setting}))
    wait_until(lambda: listed(server)[1][NAMES[0]].get("problem"), 30)
    view = listed(server)[1][NAMES[0]]
    assert said in view["problem"] + "; " + view["remedy"], view
    assert server.stop() == 0


def test_an_account_of_the_authoritys_own(make_server, make_pebble, authority, tmp_path):
    base = free_port_base()
    pebble = make_pebble(base, external={"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"})
    server = make_server(base, **settings(pebble.directory, authority, acme__names=NAMES[0]))
    wait_until(lambda: listed(server)[1][NAMES[0]].get("problem"), 30)
    assert "acme.external-account" in listed(server)[1][NAMES[0]]["remedy"]
    assert server.stop() == 0
    (tmp_path / "external").write_text("kid-1 zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n")
    server.write(acme__external_account=tmp_path / "external")
    server.start()
    issued(server, NAMES[:1])
    assert server.stop() == 0


def test_another_authority_is_asked_at_once_and_the_old_certificate_is_shown_until_then(make_server, make_pebble, authority, tmp_path):
    base = free_port_base()
    first = make_pebble(base)
    server = make_server(base, **settings(first.directory, authority, acme__names=NAMES[0]))
    issued(server, NAMES[:1])
    old = shown(server.port("imaps"), NAMES[0])
    assert server.stop() == 0
    first.close()
    first.processes = []
    port = free_port()
    server.write(acme__directory=f"https://127.0.0.1:{port}/dir")
    server.start()
    assert shown(server.port("imaps"), NAMES[0]) == old
    second = make_pebble(base, port=port)
    wait_until(lambda: shown(server.port("imaps"), NAMES[0]) != old, 20)
    assert subject(server.port("imaps"), NAMES[0], trusting(second))
    # Each authority knows an account of its own.
    assert len(list((server.directory / "data/tls/acme").glob("account-*.key"))) == 2
    assert server.stop() == 0
    done = server.command("certificate", "list", check=False)
    assert done.returncode == 3 and "no server runs here" in done.stderr


def test_another_authority_that_fails_is_not_asked_again_at_each_start(make_server, make_pebble, authority):
    base = free_port_base()
    first = make_pebble(base)
    server = make_server(base, **settings(first.directory, authority, acme__names=NAMES[0]))
    issued(server, NAMES[:1])
    old = shown(server.port("imaps"), NAMES[0])
    assert server.stop() == 0
    full = Full(authority, 7_200)
    server.write(acme__directory=f"https://127.0.0.1:{full.server_port}/dir")
    server.start()
    view = wait_until(lambda: listed(server)[1][NAMES[0]] if listed(server)[1][NAMES[0]].get("problem") else None, 20)
    assert server.stop() == 0
    server.start()
    again = wait_until(lambda: listed(server)[1][NAMES[0]], 20)
    assert (again["failures"], again["nextAttempt"]) == (1, view["nextAttempt"])
    assert shown(server.port("imaps"), NAMES[0]) == old
    assert server.stop() == 0 and full.orders == 1
    # What one has counted is nothing to the other.
    server.write(acme__directory=first.directory)
    server.start()
    back = wait_until(lambda: listed(server)[1][NAMES[0]], 20)
    assert back["failures"] == 0 and "problem" not in back
    assert server.stop() == 0
    full.shutdown()


def test_a_configured_certificate_is_for_everybody_and_the_authoritys_for_their_names(make_server, make_pebble, authority):
    base = free_port_base()
    pebble = make_pebble(base)
    certificate, key = authority.issue("mx.example.test")
    server = make_server(base, **settings(pebble.directory, authority, acme__names=NAMES[1], tls__certificate=certificate, tls__key=key))
    issued(server, NAMES[1:])
    configured = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    assert shown(server.port("imaps")) == configured == shown(server.port("imaps"), "other.test")
    assert shown(server.port("imaps"), NAMES[1]) != configured
    # A SIGHUP leaves what the authority issued where it is.
    now = shown(server.port("imaps"), NAMES[1])
    assert "not reloaded" not in server.reload()
    assert shown(server.port("imaps"), NAMES[1]) == now
    assert server.stop() == 0
