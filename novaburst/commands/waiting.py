"""Waiting for a batch, with its progress."""

from novaburst.client import Client
from novaburst.commands.progress import Meter


def wait_for_answers(client: Client, batch: str, meter: Meter) -> None:
    """Return once every image of the batch has its answer; those that are still being added count from then on.

    Raises:
        novaburst.client.ClientError: the web tier does not answer, or the batch is gone.
    """
    first = client.batch(batch)
    answered = meter.add("answered", first.total, first.answered)
    client.wait(batch, on_look=lambda now: meter.move(answered, to=now.answered, total=now.total))
