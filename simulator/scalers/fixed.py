"""A fleet of a fixed size that always runs."""

from simulator.scalers.base import Site
from simulator.scalers.group import Group


class Fixed:
    """So many instances, booted before the first image arrives and running after the last."""

    always_on = True

    def __init__(self, size: int) -> None:
        self.name = f"{size} always on"
        self._size = size

    def install(self, site: Site) -> None:
        """Launch them all; they boot in no time, since they were there before."""
        site.workers.end_themselves = False
        Group(site).resize(self._size)

    def woken(self) -> None:
        """Nothing changes."""
