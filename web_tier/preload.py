"""What the processes of the web tier have in common, loaded once in gunicorn's master, before it makes them.

A process that loads all of this by itself has 70 MB of its own, half of it the descriptions of AWS's services (EC2's
above all), and takes three times as long to be there; one that makes its own clients of what was loaded still writes to
15 MB of it. Nothing is shared but what is only read: no connection, no credential, no store, no random state.
"""

import gc
import importlib
from dataclasses import dataclass

import boto3
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader

from novaburst.descriptions import core_session
from web_tier import clients


class Lent(Credentials):
    """What clients that were made before the fork sign with: the credentials that each process finds for itself."""

    def __init__(self) -> None:
        super().__init__("", "", method="lent")
        self._found: Credentials | None = None

    def take(self, found: Credentials | None) -> None:
        """Sign with these from now on."""
        self._found = found

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """As they are now: those of a role are renewed.

        Raises:
            botocore.exceptions.NoCredentialsError: this process found none.
        """
        if self._found is None:
            raise NoCredentialsError
        return self._found.get_frozen_credentials()


class _Lender(CredentialProvider):
    METHOD = "lent"

    def __init__(self, lent: Lent) -> None:
        super().__init__()
        self._lent = lent

    def load(self) -> Lent:
        return self._lent


@dataclass(frozen=True)
class Loaded:
    """What the clients sign with, and what has read the descriptions of the services."""

    credentials: Lent
    loader: Loader


def load() -> Loaded:
    """Import the application and make its clients, which ask nobody anything.

    All of it is put out of the garbage collector's sight, whose marks would give each process a copy of its own.

    Raises:
        botocore.exceptions.BotoCoreError: boto3 makes no client with the region, endpoint or profile that is set.
    """
    importlib.import_module("web_tier.app")
    session = core_session()
    lent = Lent()
    session.register_component("credential_provider", CredentialResolver([_Lender(lent)]))
    boto3.setup_default_session(botocore_session=session)
    clients.inherit(clients.make())
    loader: Loader = session.get_component("data_loader")
    gc.collect()
    gc.freeze()
    return Loaded(lent, loader)


def adopt(loaded: Loaded) -> None:
    """Have this process sign with the credentials that it finds now, and make further clients with them by boto3."""
    session = core_session()
    session.register_component("data_loader", loaded.loader)
    boto3.setup_default_session(botocore_session=session)
    loaded.credentials.take(session.get_credentials())
