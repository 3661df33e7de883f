"""The words in which a person reads why an image has no label."""

import pytest

from novaburst.client.answers import Answer


@pytest.mark.parametrize(
    ("detail", "remedy", "said"),
    [
        ("not one of JPEG, HEIF", "Convert it.", "not one of JPEG, HEIF. Convert it."),
        ("It is cut short.", "Export it again.", "It is cut short. Export it again."),
        ("", "Export it again.", "Export it again."),
        ("no such file", None, "no such file"),
        (None, None, None),
    ],
)
def test_what_was_seen_and_what_helps_are_two_sentences(
    detail: str | None, remedy: str | None, said: str | None
) -> None:
    error = {"code": "not_an_image", "detail": detail, "remedy": remedy}
    assert Answer.of({"id": "i", "name": "a.jpg", "state": "failed", "error": error}).detail == said
