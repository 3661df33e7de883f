"""How a service is started from its unit file without systemd."""

import subprocess
from pathlib import Path

from worker_ami.chroot.unit import Service, installed_service, read_service, start_command

UNIT = """[Unit]
Description=A = B
[Service]
# ExecStart=/bin/no
User=somebody
Environment=ONE=1 "TWO=a b"
Environment=THREE=3
LogsDirectory=logs
EnvironmentFile=/etc/some.env
ExecStart=/usr/bin/some --thing 'with space'
"""


def test_a_service_is_what_its_unit_says() -> None:
    assert read_service([UNIT]) == Service(
        command=("/usr/bin/some", "--thing", "with space"),
        user="somebody",
        environment={"ONE": "1", "TWO": "a b", "THREE": "3"},
        environment_files=("/etc/some.env",),
        logs_directory="logs",
    )


def test_a_drop_in_adds_to_the_installed_unit(tmp_path: Path) -> None:
    units = tmp_path / "etc/systemd/system"
    (units / "a.service.d").mkdir(parents=True)
    (units / "a.service").write_text(UNIT)
    (units / "a.service.d" / "more.conf").write_text("[Service]\nEnvironment=ONE=2\n")
    assert installed_service(tmp_path, "a.service").environment == {"ONE": "2", "TWO": "a b", "THREE": "3"}


def test_a_service_starts_as_its_user_with_its_environment_and_no_other() -> None:
    command = start_command(read_service([UNIT]), {"/etc/some.env": "ONE=from the file\n"}, {"MORE": "yes"})
    assert command[0] == "setpriv"
    assert command[command.index("--reuid") + 1] == "somebody"
    environment = command[command.index("env") :]
    assert environment[-3:] == ["/usr/bin/some", "--thing", "with space"]
    printed = subprocess.run([*environment[:-3], "env"], capture_output=True, text=True, check=True).stdout
    variables = dict(line.split("=", 1) for line in printed.splitlines())
    assert variables.keys() == {"PATH", "LANG", "USER", "ONE", "TWO", "THREE", "LOGS_DIRECTORY", "MORE"}
    assert (variables["ONE"], variables["LOGS_DIRECTORY"]) == ("from the file", "/var/log/logs")
