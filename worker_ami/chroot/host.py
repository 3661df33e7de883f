"""What this machine lends to a bake: Debian's mirror and the package settings, read from its own configuration."""

import os
import platform
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

# As pip and apt read them.
_LENT = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_LENT_TO_PIP = ("PIP_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT")
CERTIFICATES = "/run/certificates.crt"


class HostError(Exception):
    """This machine cannot bake; the text says why."""


def codename(release: str) -> str:
    """The name of Debian's release, which must be this machine's own.

    Raises:
        HostError: this machine is something else.
    """
    here = platform.freedesktop_os_release()
    if (here["ID"], here.get("VERSION_ID")) != ("debian", release):
        raise HostError(f"the image is Debian {release}, and this machine is {here['PRETTY_NAME']}")
    return here["VERSION_CODENAME"]


def mirror(name: str) -> str:
    """The address from which apt takes the release of that name here.

    Raises:
        HostError: apt has none.
    """
    lines = subprocess.run(
        ["/usr/bin/apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for line in lines:
        release, _, address = line.partition(" ")
        if release == name:
            return address
    raise HostError(f"apt has no source for {name}")


def package_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that let pip work in the root as it does here, its certificates at `CERTIFICATES`."""
    lent = {name: environment[name] for name in (*_LENT, *_LENT_TO_PIP) if environment.get(name)}
    return lent | {"PIP_CERT": CERTIFICATES}


def package_files() -> dict[str, str]:
    """What the root sees of this machine while packages are installed: its paths here, to those there."""
    certificates = ssl.get_default_verify_paths().cafile
    if certificates is None:
        raise HostError("this machine has no bundle of certificates (apt-get install ca-certificates)")
    return {
        "/etc/apt": "/etc/apt",
        str(Path("/etc/resolv.conf").resolve()): "/etc/resolv.conf",
        certificates: CERTIFICATES,
    }
