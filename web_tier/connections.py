"""Room for connections in nginx's own nginx.conf, which no site can set: a distribution's has 768.

When nginx has none left, it closes idle ones and those of clients that are about to read a refusal: a request that is
just coming there gets no answer.
"""

import re

# Each of a thousand clients has one that is idle, sends or waits; each request under way one more to gunicorn.
# One takes half a KiB.
CONNECTIONS = 4096
# A connection is a file, and a body that is being kept another.
_FILES = 2 * CONNECTIONS

_EVENTS = re.compile(r"^events\s*\{[^{}]*\}", re.MULTILINE)
_NUMBER = re.compile(r"\bworker_connections\s+\d+;")
_RLIMIT = re.compile(r"^worker_rlimit_nofile\s[^;]*;\n", re.MULTILINE)


def with_room(main: str) -> str:
    """The text of an nginx.conf with that many connections a process of nginx; done again, nothing changes.

    Raises:
        ValueError: it does not say how many connections it has.
    """
    events = _EVENTS.search(main)
    if events is None or _NUMBER.search(events[0]) is None:
        raise ValueError(
            f"nginx.conf has no `events {{ worker_connections ...; }}`: write one with {CONNECTIONS} into it"
        )
    changed = _NUMBER.sub(f"worker_connections {CONNECTIONS};", events[0])
    before, after = _RLIMIT.sub("", main[: events.start()]), _RLIMIT.sub("", main[events.end() :])
    return f"{before}worker_rlimit_nofile {_FILES};\n{changed}{after}"
