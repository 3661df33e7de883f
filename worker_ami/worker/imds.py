"""The EC2 instance metadata service, version 2: who am I?"""

import os
import re
from collections.abc import Mapping

import urllib3

# The link-local address of the service on every EC2 instance; botocore reads the same variable.
_DEFAULT_ENDPOINT = "http://169.254.169.254"
_ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_TOKEN_SECONDS = 21600
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
# The service can be a little late after boot.
_RETRIES = urllib3.Retry(total=5, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), allowed_methods=None)


class InstanceMetadataError(Exception):
    """The service did not say what this instance is; nothing may be done in its name."""


def instance_id(environment: Mapping[str, str] = os.environ) -> str:
    """This instance's id.

    Raises:
        InstanceMetadataError: no answer, a refusal, or something that is no instance id.
    """
    endpoint = environment.get(_ENDPOINT_VARIABLE, _DEFAULT_ENDPOINT).rstrip("/")
    with urllib3.PoolManager(retries=_RETRIES, timeout=urllib3.Timeout(2)) as pool:
        token = _ask(
            pool,
            "PUT",
            f"{endpoint}/latest/api/token",
            {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)},
        )
        identity = _ask(pool, "GET", f"{endpoint}/latest/meta-data/instance-id", {"X-aws-ec2-metadata-token": token})
    if not _INSTANCE_ID.fullmatch(identity):
        raise InstanceMetadataError(f"{endpoint} gave {identity!r}, which is no instance id")
    return identity


def _ask(pool: urllib3.PoolManager, method: str, url: str, headers: dict[str, str]) -> str:
    try:
        response = pool.request(method, url, headers=headers)
    except urllib3.exceptions.HTTPError as error:
        raise InstanceMetadataError(f"{method} {url}: {error}") from error
    if response.status != 200:
        raise InstanceMetadataError(f"{method} {url}: status {response.status}")
    return response.data.decode("ascii", errors="replace").strip()
