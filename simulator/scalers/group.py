"""An Auto Scaling group: so many instances are desired, and so many there are, as far as there is room."""

import itertools

from botocore.exceptions import ClientError

from simulator.scalers.base import Site

_numbers = itertools.count()


class Group:
    """Launches what is missing and terminates what is too much, oldest first, whatever it works on."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def size(self) -> int:
        """Instances that boot or run."""
        return len(self._site.ec2.active())

    def resize(self, desired: int) -> None:
        """Have `desired` instances, up to the maximum; what there is no room for is asked for again next time."""
        missing = min(desired, self._site.maximum) - self.size
        if missing > 0:
            try:
                self._site.ec2.run_instances(
                    ClientToken=f"group-{next(_numbers)}",
                    MinCount=1,
                    MaxCount=missing,
                    TagSpecifications=[{"ResourceType": "instance", "Tags": []}],
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "InsufficientInstanceCapacity":
                    raise
        for machine in sorted(self._site.ec2.active(), key=lambda one: one.launched)[: max(0, -missing)]:
            self._site.ec2.terminate_instances(InstanceIds=[machine.id])
