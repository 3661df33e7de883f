"""Somebody who signs packages."""

import re
import subprocess
from pathlib import Path


class Signer:
    """A key of its own, and files signed by it."""

    def __init__(self, home: Path) -> None:
        self._gpg = [
            "gpg",
            "--homedir",
            str(home),
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]
        home.mkdir(mode=0o700)
        subprocess.run([*self._gpg, "--quick-generate-key", "a test", "ed25519", "sign", "never"], check=True)
        listed = subprocess.run(
            [*self._gpg, "--with-colons", "--list-keys"], capture_output=True, text=True, check=True
        )
        self.fingerprint = re.findall(r"^fpr:+(\w+):", listed.stdout, re.MULTILINE)[0]
        self.key = home / "key.asc"
        subprocess.run([*self._gpg, "--armor", "--output", self.key, "--export"], check=True)

    def sign(self, file: Path) -> None:
        """Write the signature beside the file, as .sig."""
        subprocess.run([*self._gpg, "--yes", "--output", f"{file}.sig", "--detach-sign", file], check=True)

    def end(self) -> None:
        """Stop the agent that holds the key."""
        subprocess.run(["gpgconf", "--homedir", self.key.parent, "--kill", "all"], check=True)
