"""The EC2 instance metadata service, version 2: who am I, and what is about to happen to me?"""

import logging
import os
import re
from collections.abc import Mapping

import urllib3

log = logging.getLogger(__name__)

# The link-local address of the service on every EC2 instance; botocore reads the same variable.
_DEFAULT_ENDPOINT = "http://169.254.169.254"
_ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_TOKEN_SECONDS = 21600
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
# The service can be a little late after boot.
_RETRIES = urllib3.Retry(total=5, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), allowed_methods=None)
_TIMEOUT = urllib3.Timeout(2)


class InstanceMetadataError(Exception):
    """The service did not say what it was asked."""


class InstanceMetadata:
    """The service as one thread asks it; its session token is renewed when it has ended."""

    def __init__(self, environment: Mapping[str, str] = os.environ, *, retries: urllib3.Retry | None = None) -> None:
        """Ask later; `retries` is for each request, by default none."""
        self._endpoint = environment.get(_ENDPOINT_VARIABLE, _DEFAULT_ENDPOINT).rstrip("/")
        self._pool = urllib3.PoolManager(retries=retries or urllib3.Retry(total=0), timeout=_TIMEOUT)
        self._token: str | None = None

    def get(self, path: str) -> str | None:
        """What lies at `path` below /latest/meta-data/, without surrounding space; None where nothing is.

        Raises:
            InstanceMetadataError: no answer, or a refusal.
        """
        url = f"{self._endpoint}/latest/meta-data/{path}"
        response = self._get(url)
        if response.status == 401:
            self._token = None
            response = self._get(url)
        if response.status == 404:
            return None
        return _text("GET", url, response)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _get(self, url: str) -> urllib3.BaseHTTPResponse:
        if self._token is None:
            token_url = f"{self._endpoint}/latest/api/token"
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
            self._token = _text("PUT", token_url, self._ask("PUT", token_url, lifetime))
        return self._ask("GET", url, {"X-aws-ec2-metadata-token": self._token})

    def _ask(self, method: str, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(method, url, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise InstanceMetadataError(f"{method} {url}: {error}") from error


def instance_id(environment: Mapping[str, str] = os.environ) -> str:
    """This instance's id.

    Raises:
        InstanceMetadataError: no answer, a refusal, or something that is no instance id; nothing may be done in its
            name.
    """
    metadata = InstanceMetadata(environment, retries=_RETRIES)
    try:
        identity = metadata.get("instance-id") or ""
    finally:
        metadata.close()
    if not _INSTANCE_ID.fullmatch(identity):
        raise InstanceMetadataError(f"the metadata service gave {identity!r}, which is no instance id")
    return identity


def launch_place(metadata: InstanceMetadata) -> int:
    """This instance's place among those of its launch, from 0 on; also 0 where the service does not say."""
    try:
        text = metadata.get("ami-launch-index") or ""
    except InstanceMetadataError as error:
        log.warning("the instance's place in its launch is not to be had: %s", error)
        return 0
    return int(text) if text.isdecimal() else 0


def _text(method: str, url: str, response: urllib3.BaseHTTPResponse) -> str:
    if response.status != 200:
        raise InstanceMetadataError(f"{method} {url}: status {response.status}")
    return response.data.decode("ascii", errors="replace").strip()
