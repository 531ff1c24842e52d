"""Writes the measured ratios beside the targets as Markdown."""
import datetime
import os
import platform
import subprocess
from statistics import median

from .peers import TUNING, version


def value(results, row, side, read):
    runs = results["rows"].get(row, {}).get(side, [])
    return median(read(run) for run in runs) if runs else None


def each(run):
    return run["cpu"] / run["ops"] * 1e3


def ratio_line(results, what, row, read, target, bigger, unit):
    """A table line: Martlet, the peer, the ratio, the target. `bigger` says whether more is better."""
    ours, theirs = value(results, row, "martlet", read), value(results, row, "peer", read)
    if ours is None or theirs is None or theirs == 0:
        return f"| {what} | | | not measured | {target} | |"
    ratio = ours / theirs
    reached = ratio >= target if bigger else ratio <= target
    sign = "at least" if bigger else "at most"
    return f"| {what}, {unit} | {ours:,.3g} | {theirs:,.3g} | {ratio:.2f} | {sign} {target:.3g} | {'reached' if reached else 'MISSED'} |".replace(
        "e+03", "·10³")


def limit_line(what, ours, theirs, limit, unit):
    if ours is None:
        return f"| {what} | | | not measured | below {limit:g} | |"
    other = f"{theirs:,.1f}" if theirs is not None else ""
    return f"| {what}, {unit} | {ours:,.1f} | {other} | | below {limit:g} | {'reached' if ours < limit else 'MISSED'} |"


def write_report(results, root, path):
    r = results
    commit = version(["git", "-C", str(root), "rev-parse", "--short", "HEAD"])
    cpu = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), "unknown")
    memory = int(open("/proc/meminfo").readline().split()[1]) // 1024 // 1024
    rate, visible, relayed = (lambda x: x["rate"]), (lambda x: x["visibleRate"]), (lambda x: x["relayedRate"])
    lines = [
        "# Benchmarks", "",
        "Written by `make bench`; do not edit. Ratios are Martlet to peer; both were measured in the same run, in turns.", "",
        f"- Date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC; commit {commit}; load average {os.getloadavg()[0]:.1f}",
        f"- Machine: {os.cpu_count()} cores, {cpu}, {memory} GiB; {platform.system()} {platform.release()}",
        f"- Martlet's binary was built {datetime.datetime.fromtimestamp((root / '.build/release/martlet').stat().st_mtime, datetime.timezone.utc):%Y-%m-%d %H:%M} UTC:"
        " what was committed later is not in these figures",
        f"- Martlet: {version([str(root / '.build/release/martlet'), '--version'])}; Dovecot {version(['dovecot', '--version'])}"
        f" ({r['dovecot']}); Postfix {version(['dpkg-query', '-W', '-f=${Version}', 'postfix'])}",
        f"- Rounds: {r['rounds']} (medians); {r['messages']} messages and {r['seconds']} s a load", "",
        "| what | Martlet | peer | ratio | target | |", "| --- | --- | --- | --- | --- | --- |",
        ratio_line(r, "4 KiB messages, 20 sessions, until all visible", "delivery", visible, 8, True, "a second"),
        ratio_line(r, "the same, CPU a message", "delivery", each, 1 / 6, False, "ms"),
        ratio_line(r, "acknowledged as durable, 20 sessions", "delivery", rate, 4, True, "a second"),
        ratio_line(r, "acknowledged, one session alone", "one", rate, 1, True, "a second"),
        ratio_line(r, "IMAP mix, short sessions", "imap-mix", rate, 3, True, "commands a second"),
        ratio_line(r, "the same, CPU a command", "imap-mix", each, 1 / 3, False, "ms"),
        ratio_line(r, "the same, p99", "imap-mix", lambda x: x["p99"], 1, False, "ms"),
        ratio_line(r, "IMAP, long sessions", "imap-long", rate, 1.2, True, "commands a second"),
        ratio_line(r, "the same, CPU a command", "imap-long", each, 1, False, "ms"),
        ratio_line(r, "POP3 sessions, 10 at a time", "pop3", rate, 5, True, "sessions a second"),
        ratio_line(r, "the same, CPU a session", "pop3", each, 1 / 6, False, "ms"),
        ratio_line(r, "4 KiB messages relayed to five sinks, 20 sessions", "relay", relayed, 4, True, "a second"),
        ratio_line(r, "the same, CPU a message", "relay", each, 1 / 4, False, "ms"),
    ]
    for key, what in (("fetchFlags", "UID FETCH 1:* (FLAGS)"), ("fetchEnvelope", "ENVELOPE of the last 50"), ("search", "SEARCH SUBJECT")):
        lines.append(ratio_line(r, f"mailbox of {r['big']:,}: {what}", "big", lambda x, k=key: x[k], 1, False, "ms, warm"))
    for key in ("select", "status"):
        large, small = value(r, "big", "martlet", lambda x: x[key]), value(r, "small", "martlet", lambda x: x[key])
        if large and small:
            ok = "reached" if large / small <= 1.2 else "MISSED"
            lines.append(f"| {key.upper()}, {r['big']:,} against 100 messages (Martlet), ms | {large:.3f} | {small:.3f} | {large / small:.2f} | at most 1.2 | {ok} |")
        else:
            lines.append(f"| {key.upper()}, a million against 100 messages | | | not measured | at most 1.2 | |")
    small, full = r.get("queue") or (None, None)
    lines += [
        limit_line(f"Start with {r['full']:,} messages in the queue", full and full["start"], None, 2, "s"),
        limit_line("Memory beside them, the most", full and full["peak"], None, 200, "MB"),
    ]
    if full:
        ratio = full["relayed"] / small["relayed"]
        lines.append(f"| CPU of a message relayed beside {r['full']:,} waiting ones, and beside 1,000, ms | {full['relayed']:.3f} | {small['relayed']:.3f} |"
                     f" {ratio:.2f} | the same | {'reached' if ratio <= 1.2 else 'MISSED'} |")
    rest, idle = r.get("rest", {}), r.get("idleMemory", {})
    lines += [
        limit_line("Resident at rest", rest["martlet"]["rss"] / 1024 if rest else None, None, 60, "MB"),
        limit_line(f"A plain idle IMAP connection ({r['idle']:,})", idle.get("martlet plain"), idle.get("dovecot plain"), 20, "KiB"),
        limit_line(f"A TLS idle IMAP connection ({r['idle']:,})", idle.get("martlet tls"), idle.get("dovecot tls"), 60, "KiB"),
        "", "## How it is measured", "",
        f"- CPU is that of all processes of a server ({r.get('method')}), from the first byte until it does nothing any more, so that work"
        " put off is counted; Postfix and Dovecot are counted together for delivery.",
        "- Visible means that IMAP STATUS shows every message in every mailbox; the watching sessions log in before the clock starts.",
        "- Any answer that is not as expected makes a run fail. Memory is the proportional set size of all processes.",
        "- Relayed: from the first byte until the sinks, which run in the generator, have taken the last message. Postfix takes the messages"
        " on port 25 from a trusted network, Martlet on submission after AUTH PLAIN; neither side's sinks offer TLS.",
        "- Logins of the mix are to accounts that have logged in before: both servers have them cached.",
        *[f"- {line}." for line in TUNING], "", "## The generators are not the bottleneck", "",
        "Each load was also run against a server that only answers (`martlet-load null-server`, on the same cores):", "",
        "| load | ceiling a second | highest measured above | generator's CPU each, ms |", "| --- | --- | --- | --- |",
    ]
    for protocol, row in (("smtp", "delivery"), ("imap", "imap-long"), ("pop3", "pop3")):
        c = r["ceilings"].get(protocol)
        if c:
            top = value(r, row, "martlet", rate) or 0
            lines.append(f"| {protocol} | {c['rate']:,.0f} | {top:,.0f} | {c['generatorCPU'] / c['ops'] * 1e3:.4f} |")
    if r.get("parse"):
        lines += ["", "## Parsing", "", "MessageFormat on one core, processor time; the target is 300 MB/s for the structure of ordinary mail.", "",
                  "| mail (generated) | structure, MB/s | whole summary (ENVELOPE, BODYSTRUCTURE, preview), MB/s |", "| --- | --- | --- |"]
        lines += [f"| {row['set']} | {row['structureMBps']:,.0f} | {row['summaryMBps']:,.0f} |" for row in r["parse"]]
    if r["failures"]:
        lines += ["", "## Failures", "", *[f"- {x}" for x in r["failures"]]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
