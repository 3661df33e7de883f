import io
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from novaburst.error_codes import ErrorCode
from web_tier.parts import Limits, Part, Upload

BOUNDARY = "b0undary"
LIMITS = Limits(file_bytes=1000, files=50, body_bytes=10_000_000)


class Chunks:
    """A body that arrives in pieces of the given sizes, then in single bytes' worth of whatever is left."""

    def __init__(self, body: bytes, sizes: Sequence[int]) -> None:
        self._body = io.BytesIO(body)
        self._sizes = list(sizes)

    def read(self, size: int, /) -> bytes:
        return self._body.read(min(size, self._sizes.pop(0) if self._sizes else size))


class Breaking(Chunks):
    """A body whose connection breaks at its end."""

    def read(self, size: int, /) -> bytes:
        if chunk := super().read(size):
            return chunk
        raise ConnectionResetError("gone")


def form(files: Sequence[tuple[str, str, bytes]]) -> bytes:
    return encode_multipart_formdata([(field, (name, data)) for field, name, data in files], BOUNDARY)[0]


def read(upload: Upload) -> list[tuple[Part, bytes]]:
    found: list[tuple[Part, bytes]] = []
    for part in upload.multipart(BOUNDARY.encode()):
        with part.body as body:
            found.append((part, body.read()))
    return found


def plain(parts: list[tuple[Part, bytes]]) -> list[tuple[str, str, bytes, ErrorCode | None]]:
    return [(part.field, part.filename, data, part.fault) for part, data in parts]


# What boundaries and line breaks are made of turns up inside the files far more often than chance would have it.
CONTENT = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"-", b"--", b"\r\n--b0undar", b"--b0undary", b"x", b"\x00\xff", b"abc" * 60]
    )
).map(b"".join)
# A boundary at the start of a line ends the part: no client chooses one that its files hold.
SENDABLE = CONTENT.filter(lambda data: data and not re.search(rb"(^|[\r\n])--b0undary", data))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    contents=st.lists(SENDABLE, max_size=6),
    sizes=st.lists(st.integers(1, 80), max_size=60),
)
def test_chunk_boundaries_anywhere_give_the_same_files(tmp_path: Path, contents: list[bytes], sizes: list[int]) -> None:
    files = [(f"field{n}", f"{n}.jpg", data) for n, data in enumerate(contents)]
    upload = Upload(Chunks(form(files), sizes), Limits(10**6, 50, 10**7), tmp_path)
    assert plain(read(upload)) == [(*file, None) for file in files]
    assert upload.shortfall is None


@pytest.mark.parametrize("data", [b"\r\r\r\r\r\n", b"\r\n", b"\n\r", b"x\r", b"x"])
def test_a_read_that_ends_anywhere_in_a_boundary_adds_nothing_to_the_file(tmp_path: Path, data: bytes) -> None:
    files = [("field", "1.jpg", data), ("field", "2.jpg", data)]
    body = form(files)
    for first in range(1, len(body)):
        for second in (1, 2, 3):
            upload = Upload(Chunks(body, [first, second]), Limits(10**6, 50, 10**7), tmp_path)
            assert plain(read(upload)) == [(*file, None) for file in files]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 700), st.booleans())
def test_a_body_that_stops_anywhere_keeps_the_complete_files(tmp_path: Path, end: int, reset: bool) -> None:
    files = [("f", f"{n}.jpg", bytes([65 + n]) * 100) for n in range(3)]
    whole = form(files)
    stream = (Breaking if reset else Chunks)(whole[:end], [])
    upload = Upload(stream, LIMITS, tmp_path)
    parts = read(upload)
    complete = [part for part in plain(parts) if part[3] is None]
    assert complete == [(*file, None) for file in files[: len(complete)]]
    assert [part.fault for part, _ in parts[len(complete) :]] in ([], [ErrorCode.UPLOAD_INCOMPLETE])
    last_boundary = whole.rindex(b"\r\n--b0undary--") + len(b"\r\n--b0undary--")
    assert (upload.shortfall is None) == (end >= last_boundary)
    assert len(complete) == 3 or end < last_boundary


def test_a_part_whose_headers_have_no_end_does_not_give_its_name_to_the_next_one(tmp_path: Path) -> None:
    unended = b'--b0undary\r\nContent-Disposition: form-data; name="a"; filename="1.jpg"\r\n'
    upload = Upload(io.BytesIO(unended + form([("a", "2.jpg", b"two")])), LIMITS, tmp_path)
    assert plain(read(upload)) == []
    assert upload.shortfall
    assert "no end" in upload.shortfall


def test_the_last_file_is_known_as_such_once_its_forms_end_has_come(tmp_path: Path) -> None:
    body = form([("a", "1.jpg", b"one"), ("a", "2.jpg", b"two")])
    assert [part.last for part, _ in read(Upload(io.BytesIO(body), LIMITS, tmp_path))] == [False, True]
    [(whole, _)] = [(part, part.body.close()) for part in Upload(io.BytesIO(b"x"), LIMITS, tmp_path).whole("", "")]
    assert whole.last


def test_an_oversized_file_is_skipped_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    files = [("a", "1.jpg", b"one"), ("a", "2.jpg", b"x" * 300_000), ("b", "3.jpg", b"three")]
    parts = read(Upload(io.BytesIO(form(files)), LIMITS, tmp_path))
    assert plain(parts) == [
        ("a", "1.jpg", b"one", None),
        ("a", "2.jpg", b"", ErrorCode.TOO_LARGE),
        ("b", "3.jpg", b"three", None),
    ]
    assert parts[1][0].size == 300_000


def test_a_disk_that_is_nearly_full_refuses_large_files_and_takes_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("web_tier.parts.shutil.disk_usage", lambda _: usage._replace(free=200_000_000))
    files = [("a", "large.jpg", b"x" * 300_000), ("a", "small.jpg", b"small")]
    parts = read(Upload(io.BytesIO(form(files)), Limits(10**6, 50, 10**7), tmp_path))
    assert plain(parts) == [
        ("a", "large.jpg", b"", ErrorCode.NOT_STORED),
        ("a", "small.jpg", b"small", None),
    ]


def test_a_disk_that_fails_costs_the_file_and_not_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spool").mkdir()
    upload = Upload(
        io.BytesIO(form([("a", "large.jpg", b"x" * 600_000), ("a", "small.jpg", b"small")])),
        Limits(10**6, 50, 10**7),
        tmp_path / "spool",
    )
    monkeypatch.setattr("tempfile.TemporaryFile", _broken)
    assert [part.fault for part, _ in read(upload)] == [ErrorCode.NOT_STORED, None]


def _broken(**_: object) -> IO[bytes]:
    raise OSError(28, "No space left on device")


def test_a_file_of_exactly_the_limit_is_taken(tmp_path: Path) -> None:
    parts = read(Upload(io.BytesIO(form([("a", "1.jpg", b"x" * 1000), ("a", "2.jpg", b"x" * 1001)])), LIMITS, tmp_path))
    assert [part.fault for part, _ in parts] == [None, ErrorCode.TOO_LARGE]


def test_an_empty_file_is_handed_over_as_empty_and_an_empty_input_is_passed_over(tmp_path: Path) -> None:
    files = [("input", "", b""), ("a", "empty.png", b""), ("a", "", b"bytes without a name")]
    parts = read(Upload(io.BytesIO(form(files)), LIMITS, tmp_path))
    assert plain(parts) == [("a", "empty.png", b"", ErrorCode.EMPTY_FILE), ("a", "", b"bytes without a name", None)]


def test_form_fields_are_passed_over_unless_they_say_that_they_are_images(tmp_path: Path) -> None:
    body = (
        b'--b0undary\r\nContent-Disposition: form-data; name="comment"\r\n\r\nhello\r\n'
        b'--b0undary\r\nContent-Disposition: form-data; name="photo"\r\nContent-Type: image/jpeg\r\n\r\njpeg\r\n'
        b"--b0undary--\r\n"
    )
    assert plain(read(Upload(io.BytesIO(body), LIMITS, tmp_path))) == [("photo", "", b"jpeg", None)]


def test_more_files_than_allowed_keep_the_first_ones_and_say_so(tmp_path: Path) -> None:
    files = [("f", f"{n}.jpg", b"data") for n in range(60)]
    upload = Upload(io.BytesIO(form(files)), LIMITS, tmp_path)
    assert len(read(upload)) == 50
    assert upload.shortfall == "an upload holds at most 50 files: send the rest in another"


def test_a_body_without_end_is_given_up_at_the_limit(tmp_path: Path) -> None:
    files = [("f", f"{n}.jpg", b"x" * 900) for n in range(40)]
    upload = Upload(Chunks(form(files), [1000] * 100), Limits(1000, 50, 10_000), tmp_path)
    parts = read(upload)
    assert [part.fault for part, _ in parts] == [None] * (len(parts) - 1) + [ErrorCode.UPLOAD_INCOMPLETE]
    assert 8 <= len(parts) <= 11
    assert "10,000 bytes" in (upload.shortfall or "")


@pytest.mark.parametrize(
    "body",
    [
        b"no multipart at all",
        b"--b0undary\r\nX-Without-Disposition: 1\r\n\r\nx\r\n--b0undary--\r\n",
        b"--b0undary\r\n" + b"X-Header: y\r\n" * 200_000,
        b'--b0undary\r\nContent-Disposition: form-data; name="f"; filename="\xff\xfe.jpg"\r\n\r\nx\r\n--b0undary--\r\n',
    ],
)
def test_a_malformed_form_is_said_to_be_malformed(tmp_path: Path, body: bytes) -> None:
    upload = Upload(io.BytesIO(body), LIMITS, tmp_path)
    assert read(upload) == []
    assert upload.shortfall


def test_large_files_leave_memory_for_the_spool_and_nothing_is_left_there(tmp_path: Path) -> None:
    limits = Limits(2_000_000, 50, 10_000_000)
    for part in Upload(io.BytesIO(form([("f", "big.jpg", b"x" * 1_500_000)])), limits, tmp_path).multipart(b"b0undary"):
        assert isinstance(part.body.fileno(), int)
        with part.body as body:
            assert len(body.read()) == 1_500_000
    assert list(tmp_path.iterdir()) == []


def test_a_body_can_be_one_file(tmp_path: Path) -> None:
    [part] = Upload(io.BytesIO(b"jpeg"), LIMITS, tmp_path).whole("cat.jpg", "image/jpeg")
    with part.body as body:
        data = body.read()
    assert (part.filename, part.content_type, data, part.fault) == ("cat.jpg", "image/jpeg", b"jpeg", None)


def test_draining_reads_what_is_left_up_to_a_bound(tmp_path: Path) -> None:
    stream = io.BytesIO(b"x" * 1_000_000)
    Upload(stream, LIMITS, tmp_path).drain(at_most=300_000)
    assert 300_000 <= stream.tell() < 400_000
