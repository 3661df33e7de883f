"""Client tokens of launches: one for each view of the fleet, so that it is launched upon once, until it is spent."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from scaling_lambda.fleet import VIEW_SETTLES

# EC2 keeps a client token for a day or more after its instances ended, but forgets the instances within about an hour;
# the hour keeps apart the launches from one view of the fleet, an empty one say, that recurs during the day.
_PERIOD = timedelta(hours=1)
# When it turns, in minutes past the full hour: jobs that upload by the clock begin at rounder ones.
_TURN = timedelta(minutes=53)


def is_turning(at: datetime) -> bool:
    """Whether the hour of the tokens has only just turned, so that nothing may be launched.

    A view has another token now. Who does not see yet what was launched by the one before would launch it again.
    """
    return timedelta(seconds=(at - _TURN).timestamp() % _PERIOD.total_seconds()) < VIEW_SETTLES


class Tokens:
    """The tokens of a fleet's launches, and what this process has learned of those that are spent.

    Equal views of the fleet give equal tokens in each place, whatever number each evaluation wants: the second to come
    gets the first one's instances back, or is refused. Each launch changes the view, and with it the token.

    A launch that EC2 refused for want of capacity spends its token as well: with another number it is refused as if
    somebody had launched by it (ubicloud, pull request 5898). From then on a view has another token every 15 s, which
    evaluations that have learned the same still share.
    """

    def __init__(self) -> None:
        self._spent: dict[str, datetime] = {}
        self._taken: dict[str, datetime] = {}

    def token(self, place: str, instance_ids: Iterable[str], at: datetime, attempt: int = 0) -> str:
        """The token of a launch there, on top of these instances, which must include those already terminated.

        `attempt` counts the tokens of this view whose instances came and went already.
        """
        view = [place, str(attempt), *sorted(instance_ids)]
        hour = _period(at - _TURN, _PERIOD)
        first = _hashed([hour, *view])
        return _hashed([hour, _period(at, VIEW_SETTLES), *view]) if first in self._spent else first

    def refused(self, token: str, at: datetime) -> None:
        """There was no capacity for a launch with this token."""
        self._spent = {known: since for known, since in self._spent.items() if at - since < _PERIOD} | {token: at}

    def taken(self, token: str, at: datetime) -> None:
        """EC2 says that a launch with this token was made with other parameters.

        If one was, its instances are seen before long, and the token is not used again. Otherwise it is a spent one.
        """
        self._taken = {known: since for known, since in self._taken.items() if at - since < _PERIOD}
        if at - self._taken.setdefault(token, at) >= VIEW_SETTLES:
            self.refused(token, at)


def _period(at: datetime, length: timedelta) -> str:
    return str(int(at.timestamp() // length.total_seconds()))


def _hashed(words: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
