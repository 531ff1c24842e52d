"""What a server costs: CPU and memory of all its processes, also of those that have ended.

Best is a control group of its own (cgroup v2 keeps CPU time to the microsecond in `cpu.stat`, v1 in `cpuacct.usage`): a process
cannot leave it by forking or by setsid, and what exits stays counted. Where no group can be made, /proc is walked from the
server's first process: each living descendant with its own time and that of its reaped children (clock ticks, 10 ms).
"""
import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _cgroup_root():
    """(directory, version) of a hierarchy in which groups can be made, or None."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    for version in ("cgroup2", "cgroup"):
        for mount in mounts:
            if mount[2] != version or (version == "cgroup" and "cpuacct" not in mount[3]):
                continue
            probe = Path(mount[1]) / f"martlet-probe-{os.getpid()}"
            try:
                probe.mkdir()
                probe.rmdir()
                return Path(mount[1]), version
            except OSError:
                continue
    return None


class Account:
    """The processes of one server."""

    def __init__(self, name):
        self.name = name
        self.roots = []
        self.group = None
        found = _cgroup_root()
        if found:
            root, self.version = found
            self.group = root / f"martlet-bench-{name}-{os.getpid()}"
            self.group.mkdir()

    @property
    def method(self):
        return f"{self.version} group" if self.group else "/proc, descendants of the server's first process"

    def enter(self):
        """To be called in the child between fork and exec."""
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def cpu(self):
        """Seconds of CPU so far."""
        if not self.group:
            return self.cpu_by_proc()
        if self.version == "cgroup2":
            for line in (self.group / "cpu.stat").read_text().splitlines():
                if line.startswith("usage_usec "):
                    return int(line.split()[1]) / 1e6
        return int((self.group / "cpuacct.usage").read_text()) / 1e9

    def cpu_by_proc(self):
        total = 0
        for pid in self.descendants():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += sum(int(x) for x in fields[11:15])
            except OSError:
                pass
        return total / TICKS

    def descendants(self):
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = Path(f"/proc/{entry}/stat").read_text()
                    children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
                except OSError:
                    pass
        found, waiting = [], [r for r in self.roots if os.path.exists(f"/proc/{r}")]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += children.get(pid, [])
        return found

    def processes(self):
        if self.group:
            return [int(p) for p in (self.group / "cgroup.procs").read_text().split()]
        return self.descendants()

    def memory(self):
        """KiB: proportional set size (shared pages divided among those who share them) and plain resident size, summed."""
        pss = rss = 0
        for pid in self.processes():
            try:
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        pss += int(line.split()[1])
                    elif line.startswith("Rss:"):
                        rss += int(line.split()[1])
            except OSError:
                pass
        return {"pss": pss, "rss": rss, "processes": len(self.processes())}

    def settle(self, patience=20.0):
        """Waits until the server does nothing any more (under 2% of a core for half a second), so that work it has put off is
        counted with what caused it. Returns False when it is still busy after `patience` seconds."""
        deadline = time.monotonic() + patience
        before = self.cpu()
        while time.monotonic() < deadline:
            time.sleep(0.5)
            after = self.cpu()
            if after - before < 0.01:
                return True
            before = after
        return False

    def close(self):
        if not self.group:
            return
        for _ in range(50):
            try:
                self.group.rmdir()
                return
            except OSError:
                time.sleep(0.1)
