"""Runs `martlet-load` and reads the servers' CPU clocks around its measured part."""
import json
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
TOOL = HERE / ".build/release/martlet-load"


def build():
    subprocess.run(["swift", "build", "-c", "release", "--package-path", str(HERE)], check=True, stdout=subprocess.DEVNULL)


class LoadFailed(Exception):
    pass


def load(accounts, *arguments):
    """One run. `cpu` in the result is seconds of all `accounts` from the first byte until they are idle again, and `cpuAtEnd`
    the same until the load's last answer."""
    process = subprocess.Popen([str(TOOL), *map(str, arguments), "--gate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        cpu = at_end = settled = 0.0
        if line.strip() == "ready":
            for account in accounts:
                account.settle(10)
            before = sum(a.cpu() for a in accounts)
            process.stdin.write("\n")
            process.stdin.flush()
            line = process.stdout.readline()
            at_end = sum(a.cpu() for a in accounts) - before
        if line.strip() == "done":
            settled = all([account.settle() for account in accounts])
            cpu = sum(a.cpu() for a in accounts) - before
            process.stdin.write("\n")
            process.stdin.flush()
            line = process.stdout.readline()
        result = json.loads(line) if line.startswith("{") else {"errors": 1, "firstError": line or "no result"}
        process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if result["errors"]:
        raise LoadFailed(f"{' '.join(map(str, arguments))}: {result['errors']} errors, the first: {result.get('firstError')}")
    result.update(cpu=cpu, cpuAtEnd=at_end, settled=bool(settled))
    return result


def plain(*arguments):
    """A run without accounting (fill)."""
    done = subprocess.run([str(TOOL), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise LoadFailed(f"{' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)
