"""A dialogue with an SMTP server, command by command, and the client's side of SCRAM (RFC 5802), for what no client's library does."""

import base64
import hashlib
import hmac
import os
import re
import socket

from conftest import wait_until


class Dialogue:
    """One connection. `greeting` is what the server said first; each call gives the whole reply as text."""

    def __init__(self, port, host="127.0.0.1", tls=None):
        self.socket = socket.create_connection((host, port), timeout=30)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.held = b""
        self.greeting = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def reply(self):
        """The next reply; with `<closed>` at its end when the server has closed."""
        lines = []
        while True:
            while b"\r\n" not in self.held:
                try:
                    piece = self.socket.recv(65536)
                except ConnectionError:
                    piece = b""
                if not piece:
                    return "\n".join([*lines, "<closed>"])
                self.held += piece
            line, self.held = self.held.split(b"\r\n", 1)
            lines.append(line.decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def __call__(self, *commands):
        """Sends each command by itself and gives the last reply."""
        for command in commands:
            self.send(command + "\r\n")
            answer = self.reply()
        return answer

    def message(self, text):
        """DATA, the message, and the reply behind its dot."""
        answer = self("DATA")
        assert answer.startswith("354"), answer
        self.send(text if isinstance(text, bytes) else text.encode())
        self.send("\r\n.\r\n")
        return self.reply()

    def certificate(self):
        return self.socket.getpeercert(binary_form=True)


def text64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def plain(user, password, act_as=""):
    return "AUTH PLAIN " + text64(f"{act_as}\0{user}\0{password}")


def scram(dialogue, user, password, binding=None):
    """SCRAM-SHA-256, or -PLUS with `binding` as tls-server-end-point. Gives the last reply and checks the server's signature."""
    header = "p=tls-server-end-point,," if binding is not None else "n,,"
    nonce = text64(os.urandom(18)).translate(str.maketrans("+/=", "abc"))
    first = f"n={user},r={nonce}"
    answer = dialogue(f"AUTH SCRAM-SHA-256{'-PLUS' if binding is not None else ''} " + text64(header + first))
    if not answer.startswith("334 "):
        return answer
    challenge = base64.b64decode(answer[4:]).decode()
    fields = dict(field.split("=", 1) for field in challenge.split(","))
    assert fields["r"].startswith(nonce)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    last = f"c={text64(header.encode() + (binding or b''))},r={fields['r']}"
    message = f"{first},{challenge},{last}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    answer = dialogue(text64(f"{last},p={text64(proof)}"))
    if not answer.startswith("334 "):
        return answer
    expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
    assert base64.b64decode(answer[4:]).decode() == "v=" + text64(expected)
    return dialogue("")


def code_of(reply):
    """The lookup code that a reply carries."""
    found = re.search(r"\(record (\w{13})\)", reply)
    assert found, f"no code: {reply}"
    return found.group(1)


def explained(lab, reply):
    """What `martlet explain` tells of the record whose code the reply carries. It is written with the next commit, a moment later."""
    code = code_of(reply)
    return wait_until(lambda: lab.command("explain", code, check=False).stdout, 5, f"no record of {code}")
