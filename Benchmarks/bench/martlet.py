"""Martlet as `martlet lab --open`: no greylisting or rate limits; durability, TLS and parsing as in production."""
import json
import subprocess
import time
from pathlib import Path

from .accounting import Account


class Martlet:
    def __init__(self, binary, directory, base, users, settings=(), routes=None, words=()):
        self.binary = Path(binary)
        self.directory = Path(directory)
        self.base = base
        self.users = users
        self.settings = list(settings)
        self.routes = routes or {}
        self.words = list(words)
        self.account = None
        self.process = None
        self.ports = {}

    def start(self, patience=300, poll=0.05):
        self.directory.mkdir(parents=True, exist_ok=True)
        ready = self.directory / "lab.json"
        ready.unlink(missing_ok=True)
        self.account = self.account or Account("martlet")
        command = [str(self.binary), "lab", "--open", "--dir", str(self.directory), "--port-base", str(self.base),
                   "--users", str(self.users), *self.words]
        for setting in self.settings:
            command += ["--set", setting]
        for domain, port in self.routes.items():
            command += ["--route", f"{domain}=127.0.0.1:{port}"]
        self.errors = open(str(self.directory) + ".err", "a")
        self.process = subprocess.Popen(command, preexec_fn=self.account.enter, stdout=subprocess.DEVNULL, stderr=self.errors)
        self.account.roots = [self.process.pid]
        deadline = time.monotonic() + patience
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                text = open(self.errors.name).read()[-2000:]
                self.stop()
                raise SystemExit(f"martlet lab did not become ready: {text}")
            time.sleep(poll)
        self.ports = json.loads(ready.read_text())["ports"]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                print("martlet did not end within a minute of SIGTERM: killed")
                self.process.kill()
                self.process.wait()
        if self.account:
            self.account.close()
        self.process = self.account = None
