"""How a mend replaces a method of moto's, with the method it replaces at hand."""

from collections.abc import Callable
from typing import Any


def replace(owner: type, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace the method `owner.name` by the decorated function, which receives the original as its first argument."""
    original = getattr(owner, name)

    def install(replacement: Callable[..., Any]) -> None:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return replacement(original, self, *args, **kwargs)

        setattr(owner, name, method)

    return install
