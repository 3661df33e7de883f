"""How many receives of one queue are under way at once: one while little comes, more as long as they come back full."""

import threading

from novaburst.bounds import SQS_BATCH

# An answer with as many messages says that there are more.
_MANY = SQS_BATCH // 2
# After a failure, in seconds; doubled each time up to the maximum.
_FIRST_BACK_OFF = 0.5
_MAX_BACK_OFF = 30.0


class Polls:
    """The turns of threads that each receive, let another one receive, and work on what they have.

    A call takes the time of the way to AWS and back, in which one thread alone would get ten messages. At every moment
    a turn is under way, a pause is, or all threads are at work, so that nobody waits unseen for `stop`.
    """

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        # Receives that may be under way at once.
        self.allowed = 1
        # Whether the last turn brought so many that more wait.
        self.many = False
        self._under_way = 0
        self._pausing = False
        self._back_off = _FIRST_BACK_OFF
        self._changed = threading.Condition()

    def begin(self, stop: threading.Event) -> bool:
        """Wait for a turn; False when it is time to stop instead."""
        with self._changed:
            self._changed.wait_for(lambda: stop.is_set() or self._free())
            if stop.is_set():
                self._changed.notify_all()
                return False
            self._under_way += 1
            return True

    def end(self, received: int) -> None:
        """A turn is over, with so many messages."""
        with self._changed:
            self._under_way -= 1
            self.many = received >= _MANY
            if self.many:
                self.allowed = min(self.allowed + 1, self._at_most)
            elif not received:
                self.allowed = max(self.allowed - 1, 1)
            self._changed.notify_all()

    def succeeded(self) -> None:
        """What a turn brought is done with."""
        with self._changed:
            self._back_off = _FIRST_BACK_OFF

    def failing(self) -> float | None:
        """After a failure: the seconds that the caller is to `pause`, or None while another thread does so."""
        with self._changed:
            self.allowed = 1
            if self._pausing:
                return None
            self._pausing = True
            back_off, self._back_off = self._back_off, min(2 * self._back_off, _MAX_BACK_OFF)
            return back_off

    def pause(self, stop: threading.Event, seconds: float) -> None:
        """Let no turn begin for that long."""
        stop.wait(seconds)
        with self._changed:
            self._pausing = False
            self._changed.notify_all()

    def _free(self) -> bool:
        return not self._pausing and self._under_way < self.allowed
