"""Why AWS or the store did not answer, and what to do, in words for anybody to read.

AWS's own words name accounts and roles, so they go to the log only.
"""

import sqlite3

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from novaburst.queues import QueueAttributesError
from web_tier.integrity import MEND, is_damage

Failure = BotoCoreError | ClientError | QueueAttributesError | sqlite3.Error

# AWS's codes by what is at fault. A signature that does not match is a wrong clock as often as a wrong secret.
KEY_REFUSED = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
CLOCK_REFUSED = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
# A HEAD is refused without words: this says nothing of why.
REFUSED = "403"
DENIED = frozenset({REFUSED, "AccessDenied", "AccessDeniedException"})
ABSENT = frozenset({"404", "AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket", "NotFound", "QueueDoesNotExist"})

SET_KEY = "set the AWS_* variables, or a profile, to the key of the deployment's web-tier user, and start again"
SET_CLOCK = "set this machine's clock: `timedatectl set-ntp true`, and let NTP pass the firewall"
SEE_NETWORK = "see this machine's network and DNS, and AWS_ENDPOINT_URL"
SEE_KEY = f"{SET_KEY}; see the clock, too"
_DEPLOY = "deploy it with `novaburst deploy`, or correct NOVABURST_PREFIX or AWS_DEFAULT_REGION"
_ALLOW = "give this key the deployment's web-tier policy"
_SEE_DISK = "see the disk, and the permissions of NOVABURST_STATE_DIR"
_SEE_LOG = "see the log, and try again in a moment"
_BY_CODE = (
    (CLOCK_REFUSED, SET_CLOCK),
    (KEY_REFUSED, SEE_KEY),
    (DENIED, _ALLOW),
    (ABSENT, _DEPLOY),
)


def reason(error: Exception) -> str:
    """What went wrong."""
    if no_key(error):
        return "there are no AWS credentials: set the AWS_* variables, a profile or an instance profile"
    if code := code_of(error):
        doubted = code in CLOCK_REFUSED | {"SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"}
        return f"AWS says {code}" + (" (is this machine's clock right?)" if doubted else "")
    return str(error)


def remedy(error: Failure) -> str:
    """What to do about it."""
    if isinstance(error, sqlite3.Error):
        return MEND if is_damage(error) else _SEE_DISK
    if no_key(error):
        return SET_KEY
    code = code_of(error)
    if code is None:
        return SEE_NETWORK
    return next((words for codes, words in _BY_CODE if code in codes), _SEE_LOG)


def no_key(error: Exception | None) -> bool:
    """Whether there was nothing to sign a request with."""
    return isinstance(error, NoCredentialsError | PartialCredentialsError)


def code_of(error: Exception | None) -> str | None:
    """The code with which AWS refused, if it is that."""
    return error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
