import time
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novaburst.bounds import MAX_NAME_CHARS
from web_tier.names import display_name, metadata_value, stem


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.jpg", "cat.jpg"),
        ("a/b\\c/кот.jpg", "кот.jpg"),
        ("猫 の 写真.png", "猫 の 写真.png"),
        ('say "cheese".jpg', 'say "cheese".jpg'),
        ("two\r\nlines\x00.jpg", "twolines.jpg"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("👩\u200d🚀.jpg", "👩\u200d🚀.jpg"),
        ("", "unnamed"),
        (None, "unnamed"),
        ("..", "unnamed"),
        ("folder/", "unnamed"),
        ("   ", "unnamed"),
    ],
)
def test_a_name_is_shown_without_directories_and_controls_in_any_script(given_name: str | None, shown: str) -> None:
    assert display_name(given_name) == shown


def test_a_name_of_four_kilobytes_is_cut_and_says_so() -> None:
    assert display_name("x" * 4096 + ".jpg") == "x" * (MAX_NAME_CHARS - 1) + "…"


def test_a_name_as_long_as_a_whole_body_takes_no_time() -> None:
    began = time.process_time()
    for name in ("x" * 4_000_000, "a/" * 2_000_000 + "x", "\\" * 4_000_000):
        display_name(name)
    assert time.process_time() - began < 2


@given(st.text())
def test_any_text_gives_a_name_that_can_be_stored_and_shown(text: str) -> None:
    name = display_name(text)
    assert 0 < len(name) <= MAX_NAME_CHARS
    assert not set(name) & set("/\\\r\n\x00")
    assert all(unicodedata.category(character) != "Cc" for character in name)
    assert display_name(name) == name
    name.encode()


@given(st.text(max_size=300))
def test_metadata_is_ascii_within_what_s3_allows_and_starts_like_the_name(text: str) -> None:
    name = display_name(text)
    value = metadata_value(name)
    assert value.isascii()
    assert len(value) <= 1800
    assert unquote(value) == name or name.startswith(unquote(value).removesuffix("…"))


def test_the_longest_name_in_another_script_is_cut_at_a_characters_end() -> None:
    assert unquote(metadata_value("🐈" * 255)) == "🐈" * 149 + "…"


@pytest.mark.parametrize(
    ("name", "expected"), [("test_0.JPEG", "test_0"), ("a.b.c", "a"), (".x", ""), ("plain", "plain")]
)
def test_the_stem_ends_at_the_first_dot(name: str, expected: str) -> None:
    assert stem(name) == expected
