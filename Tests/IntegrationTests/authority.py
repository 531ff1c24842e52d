"""Certificates for tests, by an authority of their own, made with openssl."""

from pathlib import Path

from conftest import need, run


class Authority:
    def __init__(self, directory, name="Tests"):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / "authority.pem"
        self.key = self.directory / "authority.key"
        run(
            need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
            "-keyout", self.key, "-out", self.certificate, "-addext", "basicConstraints=critical,CA:TRUE",
        )

    def issue(self, *names, file=None, key="ec", days=20):
        """Gives the paths of a certificate for these names, and of its key."""
        file = self.directory / (file or (names[0].replace("*", "any") if names else "nameless"))
        certificate, private, request = file.with_suffix(".crt"), file.with_suffix(".key"), file.with_suffix(".csr")
        kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["rsa:2048"]
        run(need("openssl"), "req", "-newkey", *kind, "-nodes", "-subj", "/CN=test", "-keyout", private, "-out", request)
        extensions = file.with_suffix(".ext")
        kinds = [("IP" if name[0].isdigit() else "DNS") + f":{name}" for name in names]
        extensions.write_text("basicConstraints=CA:FALSE\n" + (f"subjectAltName={','.join(kinds)}\n" if names else ""))
        run(
            need("openssl"), "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
            "-extfile", extensions, "-out", certificate,
        )
        return certificate, private
