"""Ports on loopback."""
import socket
import time


# The lab's services, as they stand behind its --port-base.
LAB_OFFSETS = (25, 80, 110, 143, 443, 465, 587, 993, 995)


def free_base(count, lab=1000, start=21000):
    """The first base from which `count` ports in a row are free on loopback, and those of a lab at `base + lab`.

    Below 32768, where the system takes ports for clients from."""
    for base in range(start, 31000, 1000):
        try:
            for port in [*range(base, base + count), *(base + lab + offset for offset in LAB_OFFSETS)]:
                for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                    with socket.socket(family) as s:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        s.bind((host, port))
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
