"""Replaces the web tier's AWS key without an outage: a new one is brought, and the old one goes once nothing uses it.

IAM gives a user two keys at most, so that there is a time at which both are good.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from web_tier.nova.credentials import AccessKey
from web_tier.nova.delivery import fresh_access_key
from web_tier.nova.problem import NovaError

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

# Until every part of AWS has heard that a key is good no more, in seconds.
_SETTLE_SECONDS = 60.0


@dataclass(frozen=True)
class Held:
    """A key that IAM holds for the web tier's user."""

    id: str
    active: bool
    created: datetime


@dataclass(frozen=True)
class Machine:
    """What of the web tier's machine a rotation needs."""

    # Give it a key that it uses from then on; raises DeliveryError.
    bring: Callable[[AccessKey], None]
    # Whether it is ready, or becomes so within its time.
    ready: Callable[[], bool]
    # How long requests that began with the old key may go on, in seconds.
    grace_seconds: float


def outgoing(keys: Sequence[Held]) -> Held | None:
    """The key that a new one replaces: the good one; None when there is none.

    Raises:
        NovaError: there are two, of which nobody here knows which one the machine has.
    """
    good = [key for key in keys if key.active]
    if len(good) > 1:
        told = ", ".join(f"{key.id} of {key.created:%Y-%m-%d %H:%M}" for key in good)
        raise NovaError(
            f"there are two good keys, so that IAM makes no third: {told}",
            "An earlier rotation was interrupted. `sudo grep key_id /etc/novaburst/credentials` on the machine shows "
            "which is in use: `novaburst nova key --retire` the other.",
        )
    return good[0] if good else None


class Rotation:
    """The keys of one deployment's web tier, and its machine."""

    def __init__(
        self,
        iam: "IAMClient",
        prefix: str,
        machine: Machine,
        say: Callable[[str], None],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._iam = iam
        self._prefix = prefix
        self._user = f"{prefix}-web"
        self._machine = machine
        self._say = say
        self._sleep = sleep

    def rotate(self) -> str:
        """Put a new key in place of the one in use; its id. What was interrupted leaves a web tier that works.

        Raises:
            NovaError: IAM refuses; there are two good keys already; the web tier is not ready with the new one.
            web_tier.nova.delivery.DeliveryError: the new key was not made, or did not reach the machine.
        """
        keys = self._keys()
        old = outgoing(keys)
        for key in keys:
            if not key.active:
                self._delete(key.id)
        with fresh_access_key(self._iam, self._prefix) as new:
            self._say(f"bringing the key {new.id}")
            self._machine.bring(new)
        if not self._machine.ready():
            raise NovaError(
                f"the web tier has the key {new.id} and is not ready; nothing else was changed",
                f"Ask its /readyz what it lacks; then `novaburst nova key --retire {old.id}`."
                if old
                else "Ask /readyz.",
            )
        if old is not None:
            self._say(f"waiting {self._machine.grace_seconds:.0f} s for requests that began with the key {old.id}")
            self._sleep(self._machine.grace_seconds)
            self.retire(old.id)
        return new.id

    def retire(self, key_id: str) -> None:
        """Take a key out of use, and delete it if the web tier is ready without it.

        Raises:
            NovaError: IAM refuses, there is no such key, or the web tier needs it; then it is good again.
        """
        if key_id not in {key.id for key in self._keys()}:
            raise NovaError(f"user {self._user} has no key {key_id}", "`aws iam list-access-keys` shows those it has.")
        self._switch(key_id, on=False)
        self._say(f"the key {key_id} is switched off; looking for {_SETTLE_SECONDS:.0f} s whether anything misses it")
        self._sleep(_SETTLE_SECONDS)
        if not self._machine.ready():
            self._switch(key_id, on=True)
            raise NovaError(
                f"without the key {key_id} the web tier is not ready, so it was switched on again",
                "It is the one in use, or /readyz names something else that is wrong.",
            )
        self._delete(key_id)

    def _keys(self) -> list[Held]:
        with self._asking():
            listed = self._iam.list_access_keys(UserName=self._user)["AccessKeyMetadata"]
        return [Held(key["AccessKeyId"], key["Status"] == "Active", key["CreateDate"]) for key in listed]

    def _switch(self, key_id: str, *, on: bool) -> None:
        with self._asking():
            self._iam.update_access_key(UserName=self._user, AccessKeyId=key_id, Status="Active" if on else "Inactive")

    def _delete(self, key_id: str) -> None:
        with self._asking():
            self._iam.delete_access_key(UserName=self._user, AccessKeyId=key_id)
        self._say(f"deleted the key {key_id}")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except self._iam.exceptions.NoSuchEntityException as error:
            raise NovaError(f"there is no user {self._user}", "Run `novaburst deploy` first.") from error
        except (BotoCoreError, ClientError) as error:
            raise NovaError(
                f"IAM did not answer as it should: {error}",
                f"Your own AWS key must be allowed to list, make, change and delete access keys of {self._user}.",
            ) from error
