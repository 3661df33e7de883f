"""On the PYTHONPATH of a process of the system, this makes it the variant that NOVABURST_VARIANT names."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from broken_variants import VARIANTS

Change = Callable[[ModuleType], None]


class _Changes(MetaPathFinder):
    """Finds the modules that are to be changed, and changes each once it is loaded."""

    def __init__(self, changes: Mapping[str, Sequence[Change]]) -> None:
        self._changes = changes

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in self._changes else None
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            for change in self._changes[name]:
                change(module)

        spec.loader.exec_module = load_and_change
        return spec


sys.meta_path.insert(0, _Changes(VARIANTS[os.environ["NOVABURST_VARIANT"]].changes()))
