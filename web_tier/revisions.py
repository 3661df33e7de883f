"""The numbers by which a client says what it has seen already."""

from web_tier.problems import Problem


def revision(given: str) -> int:
    """A revision as a client names it.

    Raises:
        Problem: 400 for anything that is none.
    """
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise Problem(400, f"since must be a revision that this address has given, not {given[:40]!r}")
    return int(given)
