"""Whatever is uploaded is an image or a refusal: no other exception, no crash, no unbounded memory or time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from novaburst.error_codes import ErrorCode
from tests.unit.worker_ami import odd_inputs
from tests.unit.worker_ami.odd_inputs import LIMITS, SIZE
from worker_ami.worker.decode import FORMATS, decode
from worker_ami.worker.refusal import ImageRefusedError

PROJECT = Path(__file__).resolve().parents[3]


def test_thousands_of_damaged_files_get_an_image_or_a_refusal_within_the_memory_of_a_small_machine() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.worker_ami.odd_inputs", "--changes", "8", "--mebibytes", "1024"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    account = json.loads(done.stdout)
    assert account["wrong"] == []
    assert account["inputs"] > 2000
    assert account["images"] > 100
    # What the formats' own parsers find, and what is no format at all.
    assert account["refusals"].keys() >= {ErrorCode.DAMAGED_IMAGE, ErrorCode.NOT_AN_IMAGE, ErrorCode.TOO_MANY_PIXELS}


@pytest.mark.parametrize(("name", "data"), [pytest.param(*pair, id=pair[0]) for pair in odd_inputs.written()])
def test_what_pillow_writes_is_read_if_its_format_is_known_and_else_refused(name: str, data: bytes) -> None:
    LIMITS.apply_to_pillow()
    # What Pillow writes as MPO with one picture is a JPEG.
    if name.split(maxsplit=1)[0] in (*FORMATS, "MPO"):
        image = decode(data, LIMITS, short_side=SIZE[1])
        assert (image.mode, image.size) == ("RGB", SIZE)
    else:
        with pytest.raises(ImageRefusedError) as refused:
            decode(data, LIMITS, short_side=SIZE[1])
        assert refused.value.code in (ErrorCode.NOT_AN_IMAGE, ErrorCode.DAMAGED_IMAGE)
