"""`python -m web_tier.nova.credentials`: takes the AWS key from standard input, on the VM, as root.

The operator's machine sends it over SSH: it stands in no user data, no argument and no environment, and on the VM only
in a file that the web tier's user alone can read.
"""

import configparser
import logging
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import click

from web_tier.logs import log_to_stderr
from web_tier.nova.machine import LISTENER, USER, WEB

log = logging.getLogger(__name__)

PATH = Path("/etc/novaburst/credentials")
# Who sent the key deletes it when told so, and only then.
NOT_TAKEN = "the key was not taken"

_PROFILE = "default"
_REQUIRED = ("aws_access_key_id", "aws_secret_access_key")


class CredentialsError(ValueError):
    """What was sent is no access key; the text says why, and quotes none of it."""


class HalfTakenError(RuntimeError):
    """The services did not take the key, and may use it all the same; the text says why."""


@dataclass(frozen=True)
class AccessKey:
    """A key of the deployment's web-tier user; its secret is in no representation."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"AccessKey({self.id})"

    def text(self) -> str:
        """As boto3 reads it from a shared credentials file."""
        return f"[{_PROFILE}]\naws_access_key_id = {self.id}\naws_secret_access_key = {self.secret}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key in a shared credentials file that holds nothing else.

        Raises:
            CredentialsError: it is something else. A `credential_process`, for one, would be run.
        """
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error:
            # The library's own words quote the line, which may be the secret.
            raise CredentialsError("not a shared credentials file") from None
        if parser.sections() != [_PROFILE] or parser.defaults():
            raise CredentialsError(f"must have one section, [{_PROFILE}]")
        values = dict(parser[_PROFILE])
        if sorted(values) != sorted(_REQUIRED) or not all(values.values()):
            raise CredentialsError(f"must hold {' and '.join(_REQUIRED)}, and nothing else")
        return cls(values["aws_access_key_id"], values["aws_secret_access_key"])


def store(key: AccessKey, path: Path, owner: tuple[int, int]) -> None:
    """Replace the file in one step; it is never readable to others than its owner, a user's and a group's number.

    Raises:
        OSError: it cannot be written.
    """
    _write(key.text(), path, owner)


def _write(text: str, path: Path, owner: tuple[int, int]) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchown(descriptor, *owner)
        file.write(text)
    new.replace(path)


def take(key: AccessKey, path: Path, owner: tuple[int, int], run: Callable[[Sequence[str]], object]) -> None:
    """Store the key and let both services take it; when they do not, all is again as it was before.

    Raises:
        OSError: it cannot be written, or from `run`; subprocess.CalledProcessError: a service does not come back.
        HalfTakenError: it did not become as it was before, either.
    """
    before = path.read_text() if path.exists() else None
    store(key, path, owner)
    log.info("stored %s in %s", key, path)
    try:
        _let_take(run)
    except (OSError, subprocess.CalledProcessError) as error:
        try:
            if before is None:
                path.unlink()
            else:
                _write(before, path, owner)
            # One of them may have taken it already, and goes on with it until it reads the file again.
            _let_take(run)
        except (OSError, subprocess.CalledProcessError) as again:
            raise HalfTakenError(f"{error}, and afterwards {again}") from error
        raise


def _let_take(run: Callable[[Sequence[str]], object]) -> None:
    run(["/usr/bin/systemctl", "reload-or-restart", WEB])
    run(["/usr/bin/systemctl", "restart", LISTENER])


@click.command()
def main() -> None:
    """Take an AWS key from standard input and have the web tier use it. To be called by root.

    It is a shared credentials file of one section, [default]. Who waits for an answer keeps waiting undisturbed.
    """
    log_to_stderr()

    def run(command: Sequence[str]) -> None:
        subprocess.run(command, check=True)  # noqa: S603 - the commands above

    try:
        key = AccessKey.parse(sys.stdin.read())
        account = pwd.getpwnam(USER)
        take(key, PATH, (account.pw_uid, account.pw_gid), run)
    except (CredentialsError, KeyError, OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{NOT_TAKEN}: {error}") from error
    except HalfTakenError as error:
        raise SystemExit(f"the key may be in use: {error}") from error


if __name__ == "__main__":
    main()
