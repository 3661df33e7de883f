"""Waiting for the web tier, and for a batch with its progress."""

from collections.abc import Callable

from novaburst.client import Client
from novaburst.commands.progress import Meter


def patient_client(url: str, tell: Callable[[str], None], seconds: float = 60) -> Client:
    """A client that repeats for so long, and tells why nothing moves: nobody is to wait without knowing."""
    minutes = seconds / 60

    def on_trouble(said: str) -> None:
        tell(f"{said}; trying for {minutes:g} minute{'s' * (minutes != 1)}")

    return Client(url, patience_seconds=seconds, on_trouble=on_trouble)


def wait_for_answers(client: Client, batch: str, meter: Meter) -> None:
    """Return once every image of the batch has its answer; those that are still being added count from then on.

    Raises:
        novaburst.client.ClientError: the web tier does not answer, or the batch is gone.
    """
    first = client.batch(batch)
    answered = meter.add("answered", first.total, first.answered)
    client.wait(batch, on_look=lambda now: meter.move(answered, to=now.answered, total=now.total))
