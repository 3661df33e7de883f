"""What a worker's environment file says, out of an instance's user data."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.instance import ENVIRONMENT_FILE, UserDataError, parse_environment_file, worker_environment


def _cloud_config(content: str, encoding: str = "") -> str:
    lines = ["#cloud-config", "write_files:", f"  - path: {ENVIRONMENT_FILE}", "    permissions: '0644'"]
    lines += [f"    encoding: {encoding}"] if encoding else []
    lines += ["    content: |", *(f"      {line}" for line in content.splitlines())]
    return "\n".join(lines) + "\n"


def test_the_environment_file_that_cloud_init_writes_is_read() -> None:
    document = _cloud_config("NOVABURST_PREFIX=burst\nNOVABURST_IDLE_SECONDS=30\n")
    assert worker_environment(document) == {"NOVABURST_PREFIX": "burst", "NOVABURST_IDLE_SECONDS": "30"}


def test_a_file_in_base64_is_decoded() -> None:
    document = _cloud_config(base64.b64encode(b"A=1\n").decode(), "b64")
    assert worker_environment(document) == {"A": "1"}


def test_files_at_other_paths_are_left_alone() -> None:
    assert worker_environment(_cloud_config("A=1").replace(ENVIRONMENT_FILE, "/etc/motd")) == {}


@pytest.mark.parametrize("user_data", ["", "#!/bin/sh\necho A=1\n", "#cloud-config\n", "#cloud-config\n- 1\n"])
def test_user_data_without_files_gives_no_settings(user_data: str) -> None:
    assert worker_environment(user_data) == {}


@pytest.mark.parametrize("user_data", ["#cloud-config\n{", _cloud_config("A=1", "gzip")])
def test_user_data_that_cloud_init_could_not_use_is_refused(user_data: str) -> None:
    with pytest.raises(UserDataError):
        worker_environment(user_data)


def test_comments_quotes_and_dollar_signs_are_read_as_systemd_reads_them() -> None:
    text = '# a comment\n\nA=1\nB="two words"\nC=$A\nnonsense\nD=\n'
    assert parse_environment_file(text) == {"A": "1", "B": "two words", "C": "$A", "D": ""}


@given(
    st.dictionaries(st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), st.from_regex(r"[\w./:-]{0,40}", fullmatch=True))
)
def test_plain_settings_survive_the_way_through_user_data(settings: dict[str, str]) -> None:
    document = _cloud_config("\n".join(f"{name}={value}" for name, value in settings.items()))
    assert worker_environment(document) == settings
