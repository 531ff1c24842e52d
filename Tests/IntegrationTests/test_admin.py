"""The command line against a server that runs: what it changes holds at once, what it refuses it says with the right exit code."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import unicodedata

from conftest import BINARY, ROOT, free_port_base, wait_until
from dialogue import Dialogue

MESSAGE = "From: a@far.test\r\nSubject: x\r\n\r\nbody"


def martlet(*words, stdin=None, env=None, cwd=None):
    return subprocess.run(
        [str(BINARY), *map(str, words)], capture_output=True, text=True, timeout=60, input=stdin or "", env={**os.environ, **(env or {})}, cwd=cwd
    )


def rcpt(lab, address, utf8=False):
    with Dialogue(lab.port("smtp")) as dialogue:
        dialogue("EHLO c.test", "MAIL FROM:<a@far.test>" + (" SMTPUTF8" if utf8 else ""))
        return dialogue(f"RCPT TO:<{address}>")


def reaches(lab, address, utf8=False):
    """The mailboxes that a message to the address ends in, from its record."""
    with Dialogue(lab.port("smtp")) as dialogue:
        dialogue("EHLO c.test", "MAIL FROM:<a@far.test>" + (" SMTPUTF8" if utf8 else ""))
        answer = dialogue(f"RCPT TO:<{address}>")
        assert answer.startswith("250"), answer
        answer = dialogue.message(MESSAGE)
    record = json.loads(lab.command("explain", answer.rsplit(" ", 1)[1], "--json").stdout)["records"][0]
    return sorted(delivery["finalAddress"] for delivery in record["deliveries"])


def test_exit_codes_and_json_of_what_fails(lab, tmp_path):
    dir = ["--dir", lab.directory]
    cases = [
        (["account", "show", lab.user(1), *dir], 0), (["account", "show", "nobody@example.test", *dir], 1), (["account", "show", "nonsense", *dir], 2),
        (["account", "add", lab.user(1), "--password-stdin", *dir], 2), (["account", "frobnicate", *dir], 2), (["status", "--dir", tmp_path / "no"], 3),
        (["explain", "nobody@nowhere.test", *dir], 1), (["config", "check", tmp_path / "none.yaml"], 2), (["alias", "remove", "no@example.test", *dir], 1),
        (["help", "nope"], 2), (["help", "account", "nope"], 2), (["message", "list", lab.user(1), "--limit", "0", *dir], 2),
        (["message", "list", lab.user(1), "--limit", "1001", *dir], 2), (["explain", lab.user(1), "--limit", "0", *dir], 2),
        (["account", "show", "--dir", "a", "--config", "b", "x"], 2), (["message", "list", lab.user(1), "--mailbox", "No", *dir], 1),
    ]
    for words, code in cases:
        done = martlet(*words)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stderr}"
        with_json = martlet(*words, "--json")
        assert with_json.returncode == code
        told = json.loads(with_json.stdout)
        if code and "explain" not in words and "check" not in words:
            assert told["error"] and done.stdout == "", f"{words}: {with_json.stdout}"
            assert with_json.stderr, words


def test_two_servers_do_not_share_a_directory(lab):
    second = martlet("lab", "--dir", lab.directory, "--port-base", free_port_base())
    assert second.returncode == 3 and second.stdout == "" and len(second.stderr.splitlines()) == 1, second.stderr
    assert json.loads((lab.directory / "lab.json").read_text())["pid"] == lab.process.pid
    assert lab.command("status").returncode == 0


def test_status_says_no_when_no_server_runs_and_the_environment_says_where_the_data_is(make_lab, tmp_path):
    lab = make_lab()
    assert martlet("help").returncode == martlet("help", "account", "add").returncode == 0
    (tmp_path / "lab/store").mkdir(parents=True)
    variable = {"MARTLET_SERVER_DATA_DIRECTORY": str(lab.directory)}
    done = martlet("status", "--json", env=variable, cwd=tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout)["status"]["pid"] == lab.process.pid
    assert martlet("status", "--dir", tmp_path / "no", env=variable).returncode == 3
    lab.stop()
    done = martlet("status", env=variable, cwd=tmp_path)
    assert done.returncode == 1 and "no server runs" in done.stdout and done.stderr == ""


def test_explain_of_an_address_without_mail_is_an_answer_and_notes_are_told(make_lab):
    lab = make_lab()
    lab.command("alias", "add", "team@example.test", lab.user(1), lab.user(2))
    done = lab.command("explain", "team@example.test")
    assert "now reaches" in done.stdout and done.stderr == ""
    lab.command("alias", "add", "work@example.test", "user0001+work@example.test")
    assert "note: " in lab.command("domain", "set", "example.test", "--separator", "-").stdout
    assert "the aliases team@example.test" in lab.command("account", "remove", lab.user(2), "--yes").stdout
    assert "may lag" in lab.command("account", "app-password", "list", "--help", check=False).stdout


def test_run_lab_leaves_the_file_of_a_running_lab_alone(lab):
    before = (lab.directory / "lab.json").read_text()
    done = subprocess.run([ROOT / "Tools/run-lab", BINARY, lab.directory, "--port-base", str(lab.base)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "in use" in done.stderr
    assert (lab.directory / "lab.json").read_text() == before


def test_lab_mistakes_come_all_at_once_with_file_and_line(binary, tmp_path):
    zone = tmp_path / "bad.zone"
    zone.write_text("$ORIGIN other.test.\n@ MX ten mail\nhello world\n")
    done = martlet("lab", "--dir", tmp_path / "x", "--users=-1", "--zone", zone, "--set", "smtp.max-eror=5", "--set", "tls.key=/k")
    assert done.returncode == 2 and not (tmp_path / "x").exists()
    lines = done.stderr.splitlines()
    assert len(lines) == 5, done.stderr
    for part in ("--users -1", f"{zone}:2:", f"{zone}:3:", "did you mean smtp.max-errors?", "tls.certificate is not"):
        assert any(part in line for line in lines), part
    zone.write_text("$ORIGIN other.test.\n$TTL 300\n@ IN SOA ns. admin. ( 1 2 3 4 5 ) ; all of it\n@ MX 10 mail\nmail A 127.0.0.1\n")
    process = subprocess.Popen(
        [BINARY, "lab", "--dir", tmp_path / "y", "--zone", zone, "--port-base", str(free_port_base())], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert json.loads(process.stdout.readline())["ready"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def test_a_mistyped_variable_is_warned_of(binary, tmp_path):
    (tmp_path / "m.yaml").write_text("smtp:\n  max-errors: 5\n")
    done = martlet("config", "check", tmp_path / "m.yaml", env={"MARTLET_SMPT_MAX_ERRORS": "4"})
    assert done.returncode == 0 and "did you mean MARTLET_SMTP_MAX_ERRORS?" in done.stderr


def test_serve_by_its_configuration_file(binary, tmp_path):
    base = free_port_base()
    config = tmp_path / "martlet.yaml"
    services = {"smtp": 25, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
    text = f"server:\n  data-directory: {tmp_path / 'data'}\n  hostname: mx.s.test\nlog:\n  level: LEVEL\nlisteners:\n"
    text += "".join(f"  {name}: 127.0.0.1:{base + number}\n" for name, number in services.items())
    config.write_text(text.replace("LEVEL", "loud"))
    done = martlet("serve", "--config", config)
    assert done.returncode == 2 and f"{config}:5:3: log.level" in done.stderr and not (tmp_path / "data").exists()
    config.write_text(text.replace("LEVEL", "notice"))
    process = subprocess.Popen([BINARY, "serve", "--config", config], stderr=subprocess.DEVNULL)
    log = tmp_path / "data/log"
    try:
        wait_until(lambda: log.exists() and b"ready" in log.read_bytes())
        # A domain whose postmaster nobody reads is told of, and with the first account there is somebody.
        for words, stdin, is_noted in [
            (["domain", "add", "s.test"], None, True), (["account", "add", "a@s.test", "--password-stdin"], "a password\n", False),
            (["domain", "add", "t.test"], None, False),
        ]:
            done = martlet(*words, "--config", config, stdin=stdin)
            assert done.returncode == 0 and ("postmaster@s.test" in done.stdout + done.stderr) == is_noted, done
        busy = martlet("serve", "--config", config, "--set", "listeners.smtp=none")
        assert busy.returncode == 2 and "in use" in busy.stderr

        def send():
            with Dialogue(base + 25) as dialogue:
                assert dialogue.greeting.startswith("220 mx.s.test")
                dialogue("EHLO c.test", "MAIL FROM:<x@far.test>", "RCPT TO:<a@s.test>")
                assert dialogue.message(MESSAGE).startswith("250")

        send()
        assert b"accepted" not in log.read_bytes()
        # SIGHUP: another log level, and the file opened anew after it was moved away.
        config.write_text(text.replace("LEVEL", "info"))
        log.rename(tmp_path / "data/log.1")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: log.exists() and b"reloaded" in log.read_bytes())
        send()
        wait_until(lambda: b"accepted" in log.read_bytes())
        # A mistake leaves all as it is.
        config.write_text("nonsense")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: b"not reloaded" in log.read_bytes())
        send()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_many_reloads_do_not_hide_the_end(binary, tmp_path):
    base = free_port_base()
    config = tmp_path / "martlet.yaml"
    listeners = "".join(f"  {name}: none\n" for name in ("submission", "submissions", "imap", "imaps", "pop3", "pop3s"))
    # A configuration that takes its time to be read: reloads come faster than they are done.
    comments = f"# {'x' * 70}\n" * 10_000
    config.write_text(f"server:\n  data-directory: {tmp_path / 'data'}\nlisteners:\n  smtp: 127.0.0.1:{base + 25}\n{listeners}{comments}")
    process = subprocess.Popen([BINARY, "serve", "--config", config], stderr=subprocess.DEVNULL)
    log = tmp_path / "data/log"
    try:
        wait_until(lambda: log.exists() and b"ready" in log.read_bytes())
        for _ in range(400):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.0005)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=8) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_flood_of_nonsense_on_the_control_socket_is_answered_line_by_line(make_lab):
    lab = make_lab()
    lines = 50_000
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(os.path.relpath(lab.directory / "control.sock"))
        thread = threading.Thread(target=client.sendall, args=(b"\n" * lines,))
        thread.start()
        answers = client.makefile("rb")
        for _ in range(lines):
            assert b"does not know this request" in answers.readline()
        thread.join()
    assert lab.command("status").returncode == 0


def test_aliases_and_groups_that_reach_nobody_are_refused_and_roles_always_reach_somebody(make_lab):
    lab = make_lab()
    one, two, admin = lab.user(1), lab.user(2), "admin@example.test"
    add = lambda *words: lab.command("alias", "add", *words, check=False).returncode
    assert add("self@example.test", "self@example.test") == 1
    assert add("a@example.test", one) == 0 and add("b@example.test", "a@example.test") == 0
    assert add("a@example.test", "b@example.test") == 1
    assert reaches(lab, "b+tag@example.test") == [one]
    assert add("team@example.test", "b@example.test", two, one) == 0
    assert reaches(lab, "team@example.test") == [one, two]
    lab.command("account", "add", "pm@example.test", "--password-stdin", stdin="a password\n")
    assert add("postmaster@example.test", "pm@example.test") == 0
    assert reaches(lab, "postmaster@example.test") == ["pm@example.test"] == reaches(lab, "Postmaster")
    lab.command("account", "remove", "pm@example.test", "--yes")
    assert reaches(lab, "postmaster@example.test") == [admin] == reaches(lab, "abuse@example.test")
    assert lab.command("alias", "remove", "a@example.test").returncode == 0
    assert rcpt(lab, "b@example.test").startswith("550 5.1.1")


def test_catch_all_and_separators_hold_at_once(make_lab):
    lab = make_lab()
    change = lambda *words: lab.command("domain", "set", "example.test", *words, check=False)
    assert rcpt(lab, "whoever@example.test").startswith("550 5.1.1")
    assert change("--catch-all", lab.user(1)).returncode == 0
    assert reaches(lab, "whoever@example.test") == [lab.user(1)]
    done = change("--catch-all", "nosuch@example.test")
    assert done.returncode == 1 and "nobody" in done.stderr
    assert change("--catch-all", "none").returncode == 0
    assert rcpt(lab, "whoever@example.test").startswith("550 5.1.1")
    assert rcpt(lab, "user0001+x@example.test").startswith("250") and rcpt(lab, "user0001-x@example.test").startswith("550")
    assert change("--separator", "-").returncode == 0
    assert reaches(lab, "user0001-x@example.test") == [lab.user(1)] and rcpt(lab, "user0001+x@example.test").startswith("550")
    assert change("--separator", "none").returncode == 0
    assert rcpt(lab, "user0001-x@example.test").startswith("550")
    assert change("--separator", "ab").returncode == 2


def test_a_domain_in_a_labels_and_in_u_labels_is_one(make_lab):
    lab = make_lab()
    assert lab.command("domain", "add", "bücher.test").returncode == 0
    assert lab.command("domain", "add", "xn--bcher-kva.test", check=False).returncode == 1
    lab.command("account", "add", "jörg@bücher.test", "--password-stdin", stdin="a password\n")
    own = "jörg@xn--bcher-kva.test"
    for written in ("jörg@bücher.test", "jörg@xn--bcher-kva.test", "JÖRG@XN--BCHER-KVA.TEST", unicodedata.normalize("NFD", "jörg@bücher.test")):
        assert reaches(lab, written, utf8=True) == [own], written
    assert rcpt(lab, "jörg@bücher.test").startswith("553 5.6.7")
    assert rcpt(lab, "postmaster@xn--bcher-kva.test").startswith("250")


def test_an_alias_added_in_two_forms_of_unicode_is_one_and_stays_removed(make_lab):
    lab = make_lab()
    for form, number in (("NFC", 1), ("NFD", 2)):
        lab.command("alias", "add", unicodedata.normalize(form, "ö@example.test"), lab.user(number))
    assert len(json.loads(lab.command("alias", "list", "--json").stdout)) == 1
    lab.command("alias", "remove", "ö@example.test")
    assert lab.stop() == 0
    lab.start()
    assert json.loads(lab.command("alias", "list", "--json").stdout) == []


def test_app_password_numbers_are_never_used_again(lab):
    add = lambda: json.loads(lab.command("account", "app-password", "add", lab.user(1), "--label", "x", "--json").stdout)["appPassword"]["number"]
    seen = []
    for _ in range(3):
        seen.append(add())
        lab.command("account", "app-password", "revoke", lab.user(1), str(seen[-1]))
    assert seen[0] < seen[1] < seen[2]
