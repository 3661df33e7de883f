"""Numbers that a request gives in its address, such as `?wait=60`."""

import re

from flask import request

from web_tier.problems import Problem

# As JSON writes one; Python's own reading takes more, such as `1_0`, `inf` and other scripts' digits.
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def quantity(name: str, unit: str, *, default: float, most: float) -> float:
    """The parameter `name` of the current request, in its unit: at most `most`; `default` where it is not given.

    Raises:
        Problem: 400 for anything but a number.
    """
    given = request.args.get(name)
    if given is None:
        return default
    if not _NUMBER.fullmatch(given):
        raise Problem(400, f"{name} must be a number of {unit}, not {given[:40]!r}")
    return min(float(given), most)
