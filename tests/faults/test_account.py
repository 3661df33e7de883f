"""The account notices what it is there for; `make faults ARGS=--broken` tries it on whole systems, a minute each."""

import importlib.util
from collections.abc import Iterator
from types import ModuleType
from typing import Any, cast

import pytest

from novaburst.contract import Failure, Result
from novaburst.error_codes import ErrorCode
from novaburst.objects import Bucket
from novaburst.queues import Depth
from tests.faults.account import Account, contradicts
from tests.faults.broken.broken_variants import VARIANTS
from tests.faults.crowd import File, Taken

TAKEN = Taken((File("a", b"", "daisy"), File("b", b"", "empty_file")), "http://tier/batch", tries=1)


def image(name: str, label: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "label": label, "error": {"code": code} if code else None}


RIGHT = [image("b", code="empty_file"), image("a", "daisy")]


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (RIGHT, None),
        (RIGHT[:1], "holds ['b'], not ['a', 'b']"),
        ([*RIGHT, image("a", "daisy")], "holds ['a', 'a', 'b'], not ['a', 'b']"),
        ([RIGHT[0], image("a")], "a (id-a) is None, not 'daisy'"),
        ([RIGHT[0], image("a", "tulip")], "a (id-a) is 'tulip', not 'daisy'"),
        ([image("b", "daisy"), RIGHT[1]], "b (id-b) is 'daisy', not 'empty_file'"),
    ],
    ids=["right", "one is missing", "one is there twice", "one is not answered", "another label", "no error"],
)
def test_a_lost_repeated_or_mistaken_image_is_noticed(images: list[dict[str, Any]], words: str | None) -> None:
    account = Account()
    account.answers(TAKEN, images)
    assert [words in fault for fault in account.faults if words] == ([True] if words else [])
    assert bool(account.faults) is bool(words)


def test_an_object_too_few_or_too_many_is_noticed_and_those_that_are_there_are_named() -> None:
    class Holds:
        name = "bucket"

        def keys(self) -> Iterator[str]:
            yield from ("a", "b")

    account = Account()
    assert account.objects("in-bucket", cast(Bucket, Holds()), {"a", "b"}) == {"a", "b"}
    assert account.faults == []
    assert account.objects("in-bucket", cast(Bucket, Holds()), {"b", "c"}) == {"b"}
    assert account.faults == ["in-bucket bucket lacks ['c']", "in-bucket bucket also holds ['a']"]


def test_a_message_left_over_and_an_instance_too_many_are_noticed() -> None:
    account = Account()
    account.queue("requests", Depth(0, 0, 0))
    account.instances(most=3, maximum=3, left=0)
    assert account.faults == []
    account.queue("requests", Depth(0, 1, 0))
    account.instances(most=4, maximum=3, left=1)
    assert len(account.faults) == 3


def test_a_web_tier_that_says_something_else_than_the_bucket_contradicts_it() -> None:
    stored = Result(id="id-a", batch="b", name="a", label="daisy", score=1, worker="w")
    failed = Result(id="id-a", batch="b", name="a", error=Failure(code=ErrorCode.EMPTY_FILE), worker="w")
    assert not contradicts(stored, image("a", "daisy"))
    assert not contradicts(failed, image("a", code="empty_file"))
    assert contradicts(stored, image("a", "tulip"))
    assert contradicts(stored, image("a"))
    assert contradicts(failed, image("a", "daisy"))


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_variant_changes_is_there_to_be_changed(name: str) -> None:
    for module, changes in VARIANTS[name].changes().items():
        for change in changes:
            change(_copy_of(module))


def _copy_of(name: str) -> ModuleType:
    """The module once more, for changes that nobody else sees."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
