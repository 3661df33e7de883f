"""What the instance's own tags ask of its worker: to stay, although it is idle."""

import logging

from worker_ami.worker.imds import InstanceMetadata, InstanceMetadataError

log = logging.getLogger(__name__)

# The scaling Lambda tags the warm minimum, and an operator whatever must stay (docs/runbook.md).
_STAY = frozenset({"novaburst:warm", "novaburst:keep"})


def asked_to_stay(metadata: InstanceMetadata) -> bool:
    """Whether a tag of this instance says so now; a service that does not answer must not run up a bill."""
    try:
        keys = metadata.get("tags/instance") or ""
    except InstanceMetadataError as error:
        log.warning("the instance's tags are not to be had, so none asks to stay: %s", error)
        return False
    return not _STAY.isdisjoint(keys.split())
