"""Makes a model folder whole or not at all, and only once."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from worker_ami.worker.model import ModelDefinition, ModelError, load_model


def make_once(
    out: Path,
    make: Callable[[Path], None],
    *,
    needs: Collection[str],
    wanted: Callable[[ModelDefinition], bool],
    say: Callable[[str], None],
) -> None:
    """Let `make` fill a new folder that becomes `out`, unless `out` is intact, `wanted` and holds what it `needs`.

    Two processes that make the same folder wait for one another. Whatever `make` raises leaves `out` as it was.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with _only_maker(out):
        if _is_intact(out, needs, wanted):
            say(f"{out} is intact: nothing to do")
            return
        staged = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            make(staged)
            # mkdtemp makes it private; the worker runs as a user of its own.
            staged.chmod(0o755)
            shutil.rmtree(out, ignore_errors=True)
            staged.rename(out)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        say(f"{out} is ready")


def _is_intact(out: Path, needs: Collection[str], wanted: Callable[[ModelDefinition], bool]) -> bool:
    try:
        model = load_model(out)
        for name in needs:
            model.file(name)
    except ModelError:
        return False
    return wanted(model.definition)


@contextmanager
def _only_maker(out: Path) -> Iterator[None]:
    with out.with_name(f".{out.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
