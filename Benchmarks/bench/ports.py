"""Ports on loopback."""
import socket
import time


def free_base(count, start=31000):
    """The first base from which `count` ports in a row, and the lab's offsets, are free on 127.0.0.1."""
    for base in range(start, 60000, 1000):
        try:
            for port in range(base, base + count):
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise SystemExit("no free ports on loopback")


def must_be_free(*ports):
    for port in ports:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                raise SystemExit(f"port {port} is in use already: a server of an earlier run may be left over")


def wait_for_port(port, process, log, patience=30):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    text = ""
    try:
        text = open(log).read()[-2000:]
    except OSError:
        pass
    raise SystemExit(f"nothing listens on port {port}: {text}")
