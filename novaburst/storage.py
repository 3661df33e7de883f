"""The quick way to S3 for objects in memory: obstore, whose get and put cost 0.2 ms of CPU where boto3's cost 2.2.

It behaves as `novaburst.objects.Bucket` does, with boto3's own credentials and the standard endpoint variables, so that
nothing but the speed depends on which of the two is at work. The few keys that obstore would alter go to boto3.
"""

import os
import re
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import boto3
import obstore
from botocore.exceptions import BotoCoreError, UnknownRegionError
from botocore.loaders import create_loader
from botocore.regions import EndpointResolver
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import BaseError
from obstore.store import S3Store

from novaburst.aws import config
from novaburst.objects import Bucket, ObjectMissingError, ObjectTooLargeError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

# As novaburst.aws: five attempts and bounded waits, within the time for which a message is hidden.
_RETRIES = 4
_RETRYING = timedelta(seconds=40)
# obstore is not told when credentials end, and asks boto3 anew five minutes before this is over: each minute, then.
# boto3 renews those of a role ten minutes before their end at the latest.
_CREDENTIALS = timedelta(minutes=6)
_CLIENT: "ClientConfig" = {"connect_timeout": "5s", "timeout": "30s", "allow_http": True}
_OBSTORES_PARTITION = "aws"
# What obstore takes for a path's: it drops a slash at either end, which names another object, and refuses the rest.
_PATHS_OWN = frozenset({"", ".", ".."})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class StorageError(BotoCoreError):
    """S3 did not do what it was asked, now; boto3's own kind of error, so that one handling serves both."""

    fmt = "S3: {reason}"


class Objects(Protocol):
    """A bucket's objects, whichever library brings and takes them."""

    @property
    def name(self) -> str:
        """The bucket's name."""
        ...

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """An object's bytes; ObjectMissingError and ObjectTooLargeError as `novaburst.objects.Bucket.get`."""
        ...

    def put(self, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None) -> None:
        """Store an object whole; `metadata` values must be ASCII, as S3 demands."""
        ...


class Storage:
    """One S3 bucket. Safe to share between threads."""

    def __init__(self, name: str, session: boto3.Session, environment: Mapping[str, str] = os.environ) -> None:
        """Ask later, with the credentials that `session` finds.

        Raises:
            ValueError: it finds none.
        """
        self.name = name
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
        self._session, self._endpoint = session, endpoint
        self._by_boto3: Bucket | None = None
        self._making = threading.Lock()
        place: S3Config = {"virtual_hosted_style_request": not endpoint}
        if own := endpoint or _endpoint_beyond_obstore(name, session):
            place["endpoint"] = own
        self._store = S3Store(
            name,
            credential_provider=Boto3CredentialProvider(session, ttl=_CREDENTIALS),
            client_options=_CLIENT,
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRYING},
            config=place,
        )

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """The object's bytes.

        Raises:
            ObjectMissingError: no such key.
            ObjectTooLargeError: it is longer than `max_bytes`; nothing of it was read.
            StorageError, botocore.exceptions.ClientError, BotoCoreError: no answer, or a refusal.
        """
        if not _is_kept(key):
            return self._exact().get(key, max_bytes=max_bytes)
        try:
            found = obstore.get(self._store, key)
            size = found.meta["size"]
            if max_bytes is not None and size > max_bytes:
                raise ObjectTooLargeError(f"{size} bytes; the limit is {max_bytes}")
            return found.bytes().to_bytes()
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise StorageError(reason=_first_words(error)) from error
            raise ObjectMissingError(f"s3://{self.name}/{key}") from error
        except BaseError as error:
            raise StorageError(reason=_first_words(error)) from error

    def put(self, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None) -> None:
        """Store an object whole; `metadata` values must be ASCII, as S3 demands.

        Raises:
            StorageError, botocore.exceptions.ClientError, BotoCoreError: no answer, or a refusal.
        """
        if not _is_kept(key):
            self._exact().put(key, body, content_type=content_type, metadata=metadata)
            return
        attributes = {"Content-Type": content_type, **(metadata or {})}
        try:
            obstore.put(self._store, key, body, attributes=attributes, use_multipart=False)
        except (BaseError, FileNotFoundError) as error:
            raise StorageError(reason=_first_words(error)) from error

    def _exact(self) -> Bucket:
        """The same bucket by boto3, made for the first key that needs it: most processes never see one."""
        # boto3's sessions are no good to several threads at once; its clients are.
        with self._making:
            if self._by_boto3 is None:
                client = self._session.client("s3", endpoint_url=self._endpoint, config=config())
                self._by_boto3 = Bucket(client, self.name)
            return self._by_boto3


def _endpoint_beyond_obstore(name: str, session: boto3.Session) -> str | None:
    """A bucket's address where it does not end in amazonaws.com, which is all that obstore knows; None elsewhere."""
    try:
        if session.get_partition_for_region(session.region_name or "") == _OBSTORES_PARTITION:
            return None
    except UnknownRegionError:
        return None
    endpoints = EndpointResolver(create_loader().load_data("endpoints"))
    found = endpoints.construct_endpoint("s3", session.region_name)
    return f"https://{name}.{found['hostname']}" if found else None


def _is_kept(key: str) -> bool:
    """Whether obstore asks S3 for this very key."""
    return _PATHS_OWN.isdisjoint(key.split("/")) and not _CONTROLS.search(key)


def _first_words(error: Exception) -> str:
    # What follows is the library's inner state, over many lines.
    return " ".join(str(error).partition("Debug source")[0].split())[:500]
