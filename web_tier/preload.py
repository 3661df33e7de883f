"""What the processes of the web tier have in common, loaded once in gunicorn's master, before it makes them.

A process that loads all of this by itself has 70 MB of its own, half of it the descriptions of AWS's services (EC2's
above all), and takes three times as long to be there. Nothing is shared but what is only read: no connection, no
credential, no store, no random state.
"""

import gc
import importlib

import boto3
import botocore.session
from botocore.loaders import Loader

# The services whose clients the web tier makes.
_SERVICES = ("s3", "sqs", "ec2", "lambda")


def load() -> Loader:
    """Import the application, and read what botocore reads to make its clients; the loader that keeps that.

    All of it is put out of the garbage collector's sight, whose marks would give each process a copy of its own.
    """
    importlib.import_module("web_tier.app")
    session = botocore.session.get_session()
    # With a key that is given, none is looked for; these clients are thrown away and ask nobody anything.
    session.set_credentials("none", "none")
    for service in _SERVICES:
        session.create_client(service, region_name="us-east-1").close()
    loader: Loader = session.get_component("data_loader")
    gc.collect()
    gc.freeze()
    return loader


def adopt(loader: Loader) -> None:
    """Have boto3 make this process's clients with what is loaded, and with credentials that it looks for itself."""
    session = botocore.session.get_session()
    session.register_component("data_loader", loader)
    boto3.setup_default_session(botocore_session=session)
