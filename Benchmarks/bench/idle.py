"""Memory of idle IMAP connections: opens them, logs in, selects INBOX, says IDLE, and keeps them until told to end."""
import socket
import ssl
import sys


def main(port, count, users, tls):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    held = []
    for n in range(count):
        s = socket.create_connection(("127.0.0.1", port), 60)
        if tls:
            s = context.wrap_socket(s)
        held.append(s)
        user = f"user{n % users + 1:04d}@example.test"
        for tag, command in (("", None), ("a ", f"a LOGIN {user} secret\r\n"), ("b ", "b SELECT INBOX\r\n"), ("+", "c IDLE\r\n")):
            if command:
                s.sendall(command.encode())
            data = b""
            wanted = (tag + "OK").encode() if tag.endswith(" ") else tag.encode() or b"* OK"
            while not any(line.startswith(wanted) for line in data.split(b"\r\n")) or not data.endswith(b"\r\n"):
                more = s.recv(65536)
                if not more:
                    sys.exit(f"connection {n} was closed after {command}: {data[-200:]!r}")
                data += more
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "tls")
