"""PURE: which of the resources of others to use, by name or id, or because there is but one that fits."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from web_tier.nova.problem import NovaError
from web_tier.nova.resources import Flavor, Image, KeyPair, Network


class _Named(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


def external_network(networks: Sequence[Network], wanted: str | None) -> Network:
    """The external network to use.

    Raises:
        NovaError: there is none, none of that name, or a choice that only a person can make.
    """
    if not networks:
        raise NovaError(
            "this project sees no external network, so the web tier could not be reached",
            "Have an operator create one (`openstack network create --external ...`) or share one with this project.",
        )
    if wanted is not None:
        return named(networks, wanted, "external network", "--external-network")
    if len(networks) > 1:
        raise NovaError(
            f"there are {len(networks)} external networks: {_list(networks)}",
            "Name the one to use with --external-network.",
        )
    return networks[0]


def flavor(flavors: Sequence[Flavor], wanted: str | None, ram: int, disk: int) -> Flavor | None:
    """The flavor to use: the one named, or one of exactly this memory (MB) and disk (GB); None when one is to be made.

    Raises:
        NovaError: none is of that name, or several are.
    """
    if wanted is not None:
        return named(flavors, wanted, "flavor", "--flavor")
    exact = [f for f in flavors if (f.ram, f.disk) == (ram, disk)]
    return min(exact, key=lambda f: (f.vcpus, f.name), default=None)


def nearest(flavors: Sequence[Flavor], ram: int, disk: int) -> str:
    """The smallest flavors that would do, for a person to choose from; empty when none would."""
    large = sorted((f for f in flavors if f.ram >= ram and f.disk >= disk), key=lambda f: (f.ram, f.disk, f.vcpus))
    return ", ".join(f"{f.name} ({f.ram} MB, {f.disk} GB)" for f in large[:3])


def image(images: Sequence[Image], wanted: str) -> Image:
    """The image of that name or id.

    Raises:
        NovaError: there is none, there are several, or it cannot be used.
    """
    found = named(images, wanted, "image", "--image")
    if found.status != "active":
        raise NovaError(
            f"image {wanted} is {found.status}, not active",
            "Wait until it is, or name another one with --image.",
        )
    return found


def key_pair(key_pairs: Sequence[KeyPair], wanted: str) -> KeyPair:
    """The key pair of that name.

    Raises:
        NovaError: there is none.
    """
    for pair in key_pairs:
        if pair.name == wanted:
            return pair
    raise NovaError(
        f"there is no key pair {wanted}", "Name another one with --key-pair, or have one made by --public-key."
    )


def named(candidates: Sequence[T], wanted: str, what: str, option: str) -> T:
    """The candidate of that id, or else of that name.

    Raises:
        NovaError: there is none, or there are several of that name.
    """
    for candidate in candidates:
        if candidate.id == wanted:
            return candidate
    found = [candidate for candidate in candidates if candidate.name == wanted]
    if not found:
        others = _list(candidates[:10])
        raise NovaError(
            f"there is no {what} {wanted}" + (f"; there are {others}" if others else ""),
            f"Name another one with {option}.",
        )
    if len(found) > 1:
        raise NovaError(
            f"the name {wanted} is taken by {len(found)} {what}s: {', '.join(c.id for c in found)}",
            f"Give {option} the id of the one to use.",
        )
    return found[0]


def _list(candidates: Sequence[_Named]) -> str:
    return ", ".join(sorted(candidate.name for candidate in candidates))
