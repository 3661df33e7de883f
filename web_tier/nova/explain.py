"""PURE: the cloud's own errors, in words that say what is the matter and what to do."""

import re

from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

from web_tier.nova.problem import NovaError
from web_tier.nova.resources import Kind
from web_tier.nova.steps import Create, Step

CLOUD_ERRORS = (sdk.SDKException, auth.ClientException)

_QUOTA = "Delete what is not in use, or ask an operator to raise the quota: `openstack quota show --usage` tells both."
# What a refusal says, by its words, and what helps. The first that fits counts.
_REMEDIES = (
    (r"quota", _QUOTA),
    (
        r"no more ip addresses|no more free|IpAddressGenerationFailure",
        "Every address of that network is taken. Release one that is not in use (`openstack floating ip list`), ask an "
        "operator for more, or take another network with --external-network.",
    ),
    (
        r"external network .* not reachable",
        "The router has no gateway in that network. Run `novaburst nova down`, then `up` with one --external-network.",
    ),
    (r"overlaps with", "Take another range of addresses with --cidr."),
    (
        r"flavor's (memory|disk) is too small|min_ram|min_disk",
        "The image needs a larger flavor: name one with --flavor.",
    ),
    (
        r"in use|still has|existing (floating|router)|one or more ports|has active|requires this|still in",
        "Something that is not this web tier's stands on it. Remove that first, then run the command again.",
    ),
    (r"format|does not match|unsupported media type", "Check the file, and say what it is with --disk-format."),
)


def explain(error: Exception, step: Step | None = None, auth_type: str = "password") -> NovaError:
    """What an error of the cloud's means.

    Args:
        error: one of `CLOUD_ERRORS`.
        step: what was being done; None while looking.
        auth_type: how the operator proves who he is, as clouds.yaml has it.
    """
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    # Keystone does not find a token or an application credential that it no longer knows.
    unknown = isinstance(error, auth.NotFound) and re.search(r"token|application credential", str(error), re.IGNORECASE)
    if status == 401 or unknown:
        return _refused(auth_type)
    known = _connection(error)
    if known is not None:
        return known
    said = _words(error)
    doing = "looking at the cloud" if step is None else str(step)
    if status == 403 and step is not None and "quota" not in said.lower():
        return _forbidden(step, said)
    for pattern, remedy in _REMEDIES:
        if status is not None and status < 500 and re.search(pattern, said, re.IGNORECASE):
            return NovaError(f"{doing}: {said}", remedy)
    request = getattr(error, "request_id", None)
    mention = f" It is request {request} in the cloud's logs." if request else ""
    return NovaError(f"{doing}: {said}", f"Run the command again; if it stays, ask an operator.{mention}")


def _refused(auth_type: str) -> NovaError:
    if "token" in auth_type:
        return NovaError(
            "the token has expired or was revoked",
            "Get a new one (`openstack token issue`, or Horizon's RC file) and put it where the old one came from.",
        )
    what = "application credential" if "application" in auth_type else "user name, password or project"
    return NovaError(
        f"the cloud refuses the {what}",
        "Check the `auth` section of clouds.yaml (and secure.yaml), or the OS_* variables.",
    )


def _connection(error: Exception) -> NovaError | None:
    """What is the matter on the way to the cloud, rather than in it."""
    if isinstance(error, sdk.ConfigException):
        return NovaError(
            str(error),
            "Name a cloud of clouds.yaml with --os-cloud or OS_CLOUD; it is looked for in the current folder, in "
            "~/.config/openstack and in /etc/openstack, or where OS_CLIENT_CONFIG_FILE says.",
        )
    if isinstance(error, auth.AuthPluginException):
        return NovaError(
            f"no cloud is configured: {error}",
            "Name a cloud of clouds.yaml with --os-cloud or OS_CLOUD, or source Horizon's RC file.",
        )
    if isinstance(error, auth.SSLError):
        return NovaError(
            f"the cloud's certificate is not trusted: {error}",
            "Name the authority's certificate as `cacert` in clouds.yaml, or in OS_CACERT.",
        )
    if isinstance(error, auth.EndpointNotFound | sdk.EndpointNotFound):
        return NovaError(
            f"the cloud does not offer a service that is needed: {error}",
            "Check `region_name` in clouds.yaml (OS_REGION_NAME), and `openstack catalog list`.",
        )
    if isinstance(error, auth.ConnectionError | auth.DiscoveryFailure):
        return NovaError(
            f"the cloud cannot be reached: {error}",
            "Check `auth_url` in clouds.yaml (OS_AUTH_URL), and whether this machine reaches it: a VPN, a proxy.",
        )
    return None


def _forbidden(step: Step, said: str) -> NovaError:
    if isinstance(step, Create) and step.kind is Kind.FLAVOR:
        return NovaError(
            f"{step.why}, and this account may not make flavors",
            "Name one with --flavor, or have an operator make one: "
            "`openstack flavor create --ram 512 --disk 5 --vcpus 1 m1.novaburst`.",
        )
    return NovaError(f"{step}: {said}", "This account may not do that. Ask an operator for the role `member`.")


def _words(error: Exception) -> str:
    """The service's own words, without the library's around them."""
    details = getattr(error, "details", None)
    text = str(details) if details else str(error)
    return " ".join(text.split()).rstrip(".")
