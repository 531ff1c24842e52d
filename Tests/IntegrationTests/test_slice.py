"""The first slice: a message from swaks to curl, over TLS, explained."""

import re

from conftest import need, run


def test_swaks_to_curl_imaps_and_explain(lab):
    output = run(
        need("swaks"), "--server", "127.0.0.1", "--port", lab.port("smtp"), "--from", "anna@far.test", "--to", lab.user(1), "--ehlo", "far.test",
        "--header", "Subject: first slice", "--header", "Message-Id: <slice-1@far.test>", "--body", "hello",
    )
    code = re.search(r"250 2\.0\.0 Ok: accepted as (\w{13})", output).group(1)
    read = run(need("curl"), "-sS", "--cacert", lab.ca, "-u", f"{lab.user(1)}:{lab.password}", f"imaps://localhost:{lab.port('imaps')}/INBOX;UID=1")
    assert "Subject: first slice" in read and read.rstrip().endswith("hello")
    assert f"Return-Path: <anna@far.test>\r\nDelivered-To: {lab.user(1)}\r\n" in read
    assert re.search(r"Received: from far\.test \(\[127\.0\.0\.1\]\)\s+by \S+ \(Martlet\) with ESMTP id " + code, read)
    for name in (code, "<slice-1@far.test>", "slice-1@far.test", lab.user(1)):
        told = lab.command("explain", name).stdout
        assert code in told and "anna@far.test" in told and "INBOX" in told, told
    assert lab.command("ledger").returncode == 0
