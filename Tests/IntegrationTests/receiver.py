"""A mail server that does as it is told, for tests of mail that leaves: it accepts, defers, refuses, hangs up or stays silent at any stage."""

import socket
import ssl
import threading


class Receiver:
    """Listens on loopback. `script` gives, by stage, what to do instead of accepting:

    stages: greeting, ehlo, starttls, mail, rcpt, data, end (behind the message's dot), quit
    values: a reply such as "451 4.3.0 later" (several lines joined by "\\r\\n"), "drop", "silent", or a callable(argument) giving one of
    these or None for the usual answer.
    """

    def __init__(self, script=None, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 50000000", "DSN"), tls=None, host="127.0.0.1"):
        self.script = dict(script or {})
        self.extensions = list(extensions)
        self.tls = tls
        self.messages = []
        self.connections = 0
        self.transactions = 0
        self.commands = []
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        self.closing = False
        self.changed = threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.closing = True
        self.listener.close()

    def accept(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def answer(self, stage, usual, argument=""):
        """What to send; None to hang up."""
        told = self.script.get(stage)
        if callable(told):
            told = told(argument)
        if told is None:
            return usual
        if told == "drop":
            return None
        if told == "silent":
            threading.Event().wait(60)
            return None
        return told

    def wait(self, count, seconds=20):
        """Waits until so many messages have been taken."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= count, seconds), f"{len(self.messages)} of {count} messages came"
        return self.messages

    def serve(self, connection):
        try:
            self.talk(connection)
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            connection.close()

    def talk(self, connection):
        stream = connection.makefile("rwb")

        def say(stage, usual, argument=""):
            text = self.answer(stage, usual, argument)
            if text is None:
                raise OSError("told to hang up")
            data = text if isinstance(text, bytes) else text.encode()
            stream.write(data + b"\r\n")
            stream.flush()
            return data

        is_tls = False
        envelope = None
        say("greeting", "220 receiver.test ESMTP")
        while True:
            line = stream.readline()
            if not line:
                return
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb = text.split(" ")[0].upper()
            with self.changed:
                self.commands.append(text)
            if verb == "EHLO":
                offered = list(self.extensions) + (["STARTTLS"] if self.tls and not is_tls else [])
                lines = ["receiver.test"] + offered
                say("ehlo", "\r\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{word}" for i, word in enumerate(lines)), text)
            elif verb == "HELO":
                say("helo", "250 receiver.test")
            elif verb == "STARTTLS":
                if not say("starttls", "220 go").startswith(b"220"):
                    continue
                stream.flush()
                connection = self.tls.wrap_socket(connection, server_side=True)
                stream = connection.makefile("rwb")
                is_tls = True
            elif verb == "MAIL":
                envelope = {"from": text, "to": [], "tls": is_tls}
                if not say("mail", "250 2.1.0 ok", text).startswith(b"250"):
                    envelope = None
            elif verb == "RCPT" and envelope is None:
                stream.write(b"503 5.5.1 MAIL first\r\n")
                stream.flush()
            elif verb == "RCPT":
                if say("rcpt", "250 2.1.5 ok", text).startswith(b"25"):
                    envelope["to"].append(text)
            elif verb == "DATA":
                if not envelope or not envelope["to"]:
                    stream.write(b"554 no valid recipients\r\n")
                    stream.flush()
                    continue
                if not say("data", "354 go ahead").startswith(b"354"):
                    continue
                body = b""
                while not body.endswith(b"\r\n.\r\n") and body != b".\r\n":
                    more = stream.readline()
                    if not more:
                        return
                    body += more
                envelope["data"] = body[:-3].replace(b"\r\n..", b"\r\n.")
                reply = self.answer("end", "250 2.0.0 taken", envelope)
                if reply is None:
                    return
                if reply.startswith("250"):
                    with self.changed:
                        self.messages.append(envelope)
                        self.changed.notify_all()
                stream.write(reply.encode() + b"\r\n")
                stream.flush()
                envelope = None
            elif verb == "RSET":
                envelope = None
                say("rset", "250 ok")
            elif verb == "QUIT":
                say("quit", "221 bye")
                return
            else:
                stream.write(b"502 what?\r\n")
                stream.flush()
