"""Characters that do something rather than show something: to a log they are new lines, to a terminal commands."""

import re

# Unicode's controls (ESC and the newlines among them), lone surrogates, line and paragraph separators, and the marks
# that turn the direction of what follows. Joiners and other format characters stay: scripts and emoji need them.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str, keep: str = "") -> str:
    r"""The text with each control character written as its escape, as `\n` and `\x1b`, but those of `keep`."""
    return CONTROLS.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)
