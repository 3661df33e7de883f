"""Whether a page of another site makes a person's browser send a request (CSRF).

Browsers say by themselves where a request comes from, and no page can change what they say: newer ones on secure
addresses in `Sec-Fetch-Site` (W3C Fetch Metadata), all of them in `Origin` for every method but GET and HEAD (WHATWG
Fetch). What says neither is no browser of these years, and nobody else's page speaks through it.
"""

from urllib.parse import urlsplit

# Methods that change nothing here.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# "none" is a person's own doing, such as a bookmark.
_OURS = frozenset({"same-origin", "none"})


def foreign(fetch_site: str | None, origin: str | None, host: str) -> bool:
    """Whether the headers name another origin than that of `host`, the request's Host.

    The scheme is left out: a proxy with TLS may stand before us. `Origin: null`, which a hidden frame can have, is
    foreign.
    """
    if fetch_site is not None:
        return fetch_site not in _OURS
    return origin is not None and _host(origin) != host.lower()


def unsaid(fetch_site: str | None, origin: str | None) -> bool:
    """Whether the headers do not say where the request comes from."""
    return fetch_site is None and origin is None


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
