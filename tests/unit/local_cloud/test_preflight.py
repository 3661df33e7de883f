"""What keeps the local cloud from starting, each with its remedy."""

import socket
from pathlib import Path

import pytest

from local_cloud.preflight import PreflightError, claim_state, free_port, require_free_port, require_memory


def test_a_second_claim_on_a_state_folder_names_the_first_process(tmp_path: Path) -> None:
    with claim_state(tmp_path), pytest.raises(PreflightError, match=r"in use by process \d+"):
        claim_state(tmp_path)
    claim_state(tmp_path).close()


def test_a_port_in_use_is_refused_with_the_option_that_helps() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PreflightError, match="--port"):
            require_free_port(taken.getsockname()[1])
    require_free_port(free_port())


def test_too_little_memory_is_refused_with_the_figures() -> None:
    require_memory(2, available_bytes=4_000_000_000)
    with pytest.raises(PreflightError, match="700 MB and 500 MB are free"):
        require_memory(2, available_bytes=500_000_000)


def test_a_state_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightError, match="--state"):
        claim_state(tmp_path / "file" / "state")
