"""The provisioning scripts, as far as they can be judged without the machine that they change."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.worker_ami.signer import Signer
from worker_ami.chroot.__main__ import TEMPLATE
from worker_ami.chroot.template import read_provisioning

PROVISION = TEMPLATE.parent / "provision"


def test_shellcheck_finds_no_fault_in_any_script() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), *PROVISION.glob("*.sh")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_script_of_the_folder_is_run() -> None:
    assert set(read_provisioning(TEMPLATE, {}).scripts) == set(PROVISION.glob("*.sh"))


def test_a_script_gets_every_variable_that_it_cannot_do_without() -> None:
    provisioning = read_provisioning(TEMPLATE, {"torch_index": "x", "model_options": "x"})
    for script in provisioning.scripts:
        for name in re.findall(r"\$\{(\w+):\?\}", script.read_text()):
            assert provisioning.environment[name]


def test_the_image_holds_no_secret_and_no_name_of_a_deployment() -> None:
    for path in (*PROVISION.iterdir(), TEMPLATE, TEMPLATE.parent / "systemd" / "novaburst-worker.service"):
        assert not re.search(r"AKIA|aws_secret|BEGIN [A-Z ]*PRIVATE KEY", path.read_text(), re.IGNORECASE)


@pytest.mark.parametrize(
    ("engine", "options", "said"),
    [
        ("onnxruntime-int8", "--model resnet18", "name their folder by --int8 in MODEL_OPTIONS"),
        ("tensorflow", "", "no engine is called tensorflow; there are onnxruntime, onnxruntime-int8 and torch"),
    ],
)
def test_an_engine_that_cannot_be_baked_is_refused_before_anything_is_installed(
    engine: str, options: str, said: str
) -> None:
    done = subprocess.run(
        ["bash", PROVISION / "model.sh"],
        env={"SOURCE": "/nowhere", "ENGINE": engine, "MODEL_OPTIONS": options},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    signer = Signer(tmp_path_factory.mktemp("signer") / "home")
    yield signer
    signer.end()


@pytest.fixture
def install_agent(signer: Signer, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run logs.sh on a package up to the point at which dpkg, which is a stand-in, would install it."""
    stand_in = tmp_path / "bin" / "dpkg"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\necho installing; exit 42\n")
    stand_in.chmod(0o755)

    def install(package: Path, **changes: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
            "TMPDIR": str(tmp_path),
            "SOURCE": str(PROVISION.parents[1]),
            "AGENT_URL": package.as_uri(),
            "AGENT_KEY": signer.fingerprint,
            "AGENT_KEY_URL": signer.key.as_uri(),
        }
        return subprocess.run(
            ["bash", PROVISION / "logs.sh"], env=environment | changes, capture_output=True, text=True, check=False
        )

    return install


@pytest.fixture
def package(signer: Signer, tmp_path: Path) -> Path:
    """A signed file."""
    file = tmp_path / "agent.deb"
    file.write_bytes(b"as it was signed")
    signer.sign(file)
    return file


Install = Callable[..., "subprocess.CompletedProcess[str]"]


def test_an_agent_with_the_right_signature_is_installed(install_agent: Install, package: Path) -> None:
    done = install_agent(package)
    assert (done.returncode, done.stdout) == (42, "installing\n"), done.stderr


def test_an_agent_that_was_changed_after_it_was_signed_fails_the_bake(install_agent: Install, package: Path) -> None:
    package.write_bytes(b"as somebody else likes it")
    done = install_agent(package)
    assert done.returncode not in {0, 42}
    assert "installing" not in done.stdout


def test_an_agent_signed_by_another_key_than_the_known_one_fails_the_bake(
    install_agent: Install, package: Path
) -> None:
    done = install_agent(package, AGENT_KEY=read_provisioning(TEMPLATE, {}).environment["AGENT_KEY"])
    assert done.returncode not in {0, 42}
    assert "installing" not in done.stdout


def test_an_agent_without_a_signature_fails_the_bake(install_agent: Install, package: Path) -> None:
    Path(f"{package}.sig").unlink()
    done = install_agent(package)
    assert done.returncode not in {0, 42}
    assert "installing" not in done.stdout


def test_without_an_address_no_agent_is_asked_for(install_agent: Install, package: Path) -> None:
    done = install_agent(package, AGENT_URL="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
