"""`make run` as a newcomer sees it: what it prints is true, and the three commands to try work as printed."""

import os
import re
import signal
import subprocess

from conftest import BINARY, ROOT, free_port_base, wait_until


def test_the_three_commands_work_as_printed(binary, tmp_path):
    printed = tmp_path / "printed"
    with open(printed, "wb") as out:
        process = subprocess.Popen(
            [ROOT / "Tools/run-lab", BINARY, tmp_path / "lab", "--port-base", str(free_port_base())], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        text = wait_until(lambda: "Ctrl-C" in printed.read_text() and printed.read_text(), 30)
        commands = re.findall(r"^  \d\. \w+: +(.+)$", text, re.M)
        assert len(commands) == 3, text
        for command, expected in zip(commands, ["", "hello", "accepted"]):
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
            assert done.returncode == 0 and expected in done.stdout, f"{command}\n{done.stdout}{done.stderr}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_a_lab_that_does_not_get_ready_is_told_of_and_ended(tmp_path):
    program = tmp_path / "martlet"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    done = subprocess.run(
        [ROOT / "Tools/run-lab", program, tmp_path / "lab"], capture_output=True, text=True, timeout=30, env={**os.environ, "LAB_PATIENCE": "5"}
    )
    assert done.returncode == 1 and "running" not in done.stdout and "not ready" in done.stderr
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text().strip()}")


def test_each_port_in_use_is_one_clear_line_and_code_2(lab, tmp_path):
    done = subprocess.run(
        [BINARY, "lab", "--dir", tmp_path / "second", "--port-base", str(lab.base)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2 and done.stdout == ""
    assert str(lab.port("smtp")) in done.stderr and all("in use" in line for line in done.stderr.splitlines())
    assert not (tmp_path / "second").exists()


def test_unknown_keys_and_options_are_told_with_a_remedy(binary, tmp_path):
    for options, word in [(["--set", "smtp.max-eror=5"], "smtp.max-errors"), (["--zone", "/nowhere.zone"], "/nowhere.zone")]:
        done = subprocess.run([BINARY, "lab", "--dir", tmp_path / "x", *options], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and word in done.stderr, done.stderr
        assert not (tmp_path / "x").exists()


def test_an_account_added_while_the_server_runs_works_at_once(lab):
    lab.command("account", "add", "new@example.test", "--password-stdin", stdin="correct horse\n")
    import imaplib

    with imaplib.IMAP4("127.0.0.1", lab.port("imap")) as client:
        assert client.login("new@example.test", "correct horse")[0] == "OK"
    lab.command("account", "remove", "new@example.test", check=False)
