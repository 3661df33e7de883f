"""What the metadata service says of what is to come: EC2 takes the instance away, or may, or the Lambda sends it.

An interruption ends the worker at once: it finishes what it began, gives back the rest, and the machine powers off.
A rebalance recommendation is a forecast only. An image is done in milliseconds and another worker takes a minute to
boot, so the worker goes on while there is work, and leaves at the first empty poll instead of waiting to be idle.

The scaling Lambda sends away whom a steady stream does not need, by a tag: there is no hurry, so the worker takes
nothing more and finishes all that it holds. One that a person keeps stays.
"""

import logging
import threading
from collections.abc import Callable

from worker_ami.worker.imds import InstanceMetadata, InstanceMetadataError

log = logging.getLogger(__name__)

# As often as EC2's guide advises: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
POLL_SECONDS = 5.0
_INTERRUPTION = "spot/instance-action"
_REBALANCE = "events/recommendations/rebalance"
_SENT_AWAY = "tags/instance/novaburst:leave"
_KEPT = "tags/instance/novaburst:keep"


class Notices:
    """The loop of one thread; each notice is passed on once. A service that fails is never a reason to end."""

    def __init__(
        self,
        metadata: InstanceMetadata,
        *,
        interrupted: Callable[[], None],
        rebalance: Callable[[], None],
        sent_away: Callable[[], None],
    ) -> None:
        self._metadata = metadata
        self._awaited = {_INTERRUPTION: interrupted, _REBALANCE: rebalance, _SENT_AWAY: sent_away}
        self._failing = False

    def run(self, ended: threading.Event) -> None:
        """Look every five seconds until `ended` or told everything there is to tell."""
        while self._awaited and not ended.wait(POLL_SECONDS):
            self.look()

    def look(self) -> None:
        """Look once."""
        try:
            for path in list(self._awaited):
                if (notice := self._metadata.get(path)) is not None and not self._kept(path):
                    log.warning("notice: %s: %s", path, notice)
                    self._awaited.pop(path)()
        except InstanceMetadataError as error:
            if not self._failing:
                log.warning("no news from the metadata service: %s", error)
            self._failing = True
        else:
            self._failing = False

    def _kept(self, path: str) -> bool:
        return path == _SENT_AWAY and self._metadata.get(_KEPT) is not None
