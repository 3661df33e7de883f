"""Replaces the web tier's AWS key without an outage: a new one is brought, and the old one goes once nothing uses it.

IAM gives a user two keys at most, so that there is a time at which both are good.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from web_tier.nova.access_keys import WHICH, AccessKeys, Held
from web_tier.nova.credentials import AccessKey
from web_tier.nova.problem import NovaError

# Until every part of AWS knows a new key, in seconds: IAM's changes reach it one after the other
# (docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html), and what serves would be refused in between.
_KNOWN_SECONDS = 15.0
# Until every part of AWS has heard that a key is good no more, in seconds.
_SETTLE_SECONDS = 60.0


@dataclass(frozen=True)
class Machine:
    """What of the web tier's machine a rotation needs."""

    # Whether it is ready, or becomes so within its time.
    ready: Callable[[], bool]
    # Whether it has no key now, or one that AWS refuses.
    lacks_key: Callable[[], bool]
    # How long requests that began with the old key may go on, in seconds.
    grace_seconds: float


def outgoing(keys: Sequence[Held]) -> Held | None:
    """The key that a new one replaces: the good one; None when there is none.

    Raises:
        NovaError: there are two, of which nobody here knows which one the machine has.
    """
    good = [key for key in keys if key.active]
    if len(good) > 1:
        raise NovaError(
            f"there are two good keys, so that IAM makes no third: {'; '.join(map(str, good))}",
            f"An earlier rotation was interrupted, or a machine is gone. {WHICH}: `novaburst nova key --retire` the "
            "other.",
        )
    return good[0] if good else None


class Rotation:
    """The keys of one deployment's web tier, and its machine."""

    def __init__(
        self,
        keys: AccessKeys,
        machine: Machine,
        say: Callable[[str], None],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._keys = keys
        self._machine = machine
        self._say = say
        self._sleep = sleep

    def rotate(self, bring: Callable[[AccessKey], None]) -> str:
        """Put a new key in place of the one in use; its id. What was interrupted leaves a web tier that works.

        Args:
            bring: gives the machine a key that it uses from then on; it raises what `delivery.deliver` does.

        Raises:
            NovaError: IAM refuses; there are two good keys already; nobody knows whether the machine has the new one;
                the web tier is not ready with it.
            web_tier.nova.delivery.DeliveryError: the new key did not reach the machine.
        """
        held = self._keys.held()
        old = outgoing(held)
        for key in held:
            if not key.active:
                self._keys.delete(key.id)
        with self._keys.fresh([key for key in held if key.active]) as new:
            if old is not None:
                self._say(f"waiting {_KNOWN_SECONDS:.0f} s until AWS knows the key {new.id} everywhere")
                self._sleep(_KNOWN_SECONDS)
            self._say(f"bringing the key {new.id}")
            bring(new)
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
        """Take a key out of use, and delete it if the web tier is ready without it, or has had no good key before.

        Raises:
            NovaError: IAM refuses, there is no such key, or the web tier needs it; then it is good again.
        """
        active = {key.id: key.active for key in self._keys.held()}
        if key_id not in active:
            raise NovaError(
                f"user {self._keys.user} has no key {key_id}", "`aws iam list-access-keys` shows those it has."
            )
        # This one is good now, so what a machine without any good key has is another one.
        keyless = active[key_id] and self._machine.lacks_key()
        self._keys.switch(key_id, on=False)
        self._say(f"the key {key_id} is switched off; looking for {_SETTLE_SECONDS:.0f} s whether anything misses it")
        self._sleep(_SETTLE_SECONDS)
        if not (keyless and self._machine.lacks_key()) and not self._machine.ready():
            self._keys.switch(key_id, on=True)
            raise NovaError(
                f"without the key {key_id} the web tier is not ready, so it was switched on again",
                "It is the one in use, or /readyz names something else that is wrong.",
            )
        self._keys.delete(key_id)
