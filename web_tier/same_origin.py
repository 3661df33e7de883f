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
# What need not stand behind a host, by the origin's scheme.
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def foreign(fetch_site: str | None, origin: str | None, host: str | None) -> bool:
    """Whether the headers name another origin than that of `host`, the request's Host as the browser sent it.

    The scheme is left out: a proxy with TLS may stand before us. `Origin: null`, which a hidden frame can have, is
    foreign, and so is any origin where there is no Host.
    """
    if fetch_site is not None:
        return fetch_site not in _OURS
    return origin is not None and not _names(origin, host or "")


def unsaid(fetch_site: str | None, origin: str | None) -> bool:
    """Whether the headers do not say where the request comes from."""
    return fetch_site is None and origin is None


def _names(origin: str, host: str) -> bool:
    """Whether a host, whatever characters it has, is the origin's."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = _DEFAULT_PORTS.get(parts.scheme, "")
    named = parts.netloc.lower().removesuffix(port)
    return bool(named) and named == host.lower().removesuffix(port)
