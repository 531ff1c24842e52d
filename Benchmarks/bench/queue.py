"""What a full queue costs: how long the server takes to start, its memory, and what one more message costs beside all the others."""
import time
from pathlib import Path

from . import load as loads
from .martlet import Martlet

# Destinations of the waiting messages. Nobody listens where their mail would go.
DEAD = 1_000
ZONE = "*.dead.test. 60 IN MX 10 mx.dead.test.\nmx.dead.test. 60 IN A 127.0.0.9\n"


def resident_mb(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return {name: int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) / 1024 for name in ("VmRSS", "VmHWM")}


def measure(binary, directory, base, sinks, count, salt, note):
    """`count` messages wait; gives seconds to the first connection, MB, and seconds of CPU a message that is relayed beside them."""
    directory.mkdir()
    zone = directory / "zone"
    zone.write_text(ZONE)
    martlet = Martlet(
        binary, directory / "lab", base, 2, ["smtp.max-transactions=1000000"], routes=sinks, words=["--zone", str(zone)])
    martlet.start()
    try:
        filled = loads.plain("relay", "--port", martlet.ports["submission"], "--login", "--dead", DEAD, "--messages", count, "--size", 700,
                             "--salt", salt)
        note(f"queue      {count} messages wait, {filled['rate']:.0f} a second came in")
        martlet.account.settle(60)
        martlet.stop()
        begin = time.monotonic()
        martlet.start(poll=0.005)
        result = {"start": time.monotonic() - begin, "rest": resident_mb(martlet.process)["VmRSS"]}
        # The retries of a thousand dead destinations are part of it.
        martlet.account.settle(30)
        relayed = loads.load([martlet.account], "relay", "--port", martlet.ports["submission"], "--login", "--sink-port",
                             min(sinks.values()), "--messages", 2_000, "--salt", salt + 1)
        result.update(relayed=relayed["cpu"] / relayed["ops"] * 1e3, rate=relayed["relayedRate"], peak=resident_mb(martlet.process)["VmHWM"])
        note(f"queue      started in {result['start']:.2f} s, {result['rest']:.0f} MB, at most {result['peak']:.0f} MB;"
             f" {result['relayed']:.3f} ms CPU a message beside them")
        return result
    finally:
        martlet.stop()
