"""What a person wants brought up."""

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from web_tier.nova.mark import Mark
from web_tier.nova.resources import Ingress

# The seed's machine: memory in MB, disk in GB.
RAM_MEGABYTES = 512
DISK_GIGABYTES = 5
# Nova takes no more of it, once encoded, in bytes.
MAX_USER_DATA = 65_535
# What the page and the API are served on.
WEB_PORTS = (80, 443)
SSH_PORT = 22
ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class ImageFile:
    """An image on this machine, to be uploaded. `sha512` is its content's, in hex."""

    path: Path
    disk_format: str
    sha512: str


@dataclass(frozen=True)
class Wanted:
    """One web tier. What is others' is named by name or id, and None leaves its choice to the plan."""

    mark: Mark
    user_data: str
    # A file to upload, or the name or id of an image that is there.
    image: ImageFile | str
    # The line of a public key, or the name of a key pair that is there.
    public_key: str | None = None
    key_pair: str | None = None
    external_network: str | None = None
    flavor: str | None = None
    # Ranges of addresses that may reach SSH; none closes it.
    ssh_from: tuple[str, ...] = ()
    cidr: str = "10.77.0.0/24"
    name_servers: tuple[str, ...] = ()
    replace_server: bool = False
    ram: int = field(default=RAM_MEGABYTES, init=False)
    disk: int = field(default=DISK_GIGABYTES, init=False)

    @property
    def ingress(self) -> tuple[Ingress, ...]:
        """All that may come in."""
        ssh = [Ingress(SSH_PORT, source) for source in self.ssh_from]
        return (*ssh, *(Ingress(port, ANYWHERE) for port in WEB_PORTS))

    @property
    def encoded_user_data(self) -> str:
        """The user data as Nova takes it."""
        return base64.b64encode(self.user_data.encode()).decode()

    @property
    def user_data_hash(self) -> str:
        """Tells whether a server was made from this user data."""
        return hashlib.sha256(self.user_data.encode()).hexdigest()
