"""A virtual machine as Nova would make it: 512 MB, one core, 5 GB, a key pair and user data; by software emulation."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_cloud.preflight import free_port
from web_tier.nova.delivery import Destination, host_keys

USER = "debian"
MEMORY_MIB = 512
# For what the emulated machine does upon one command, in seconds.
_COMMAND_SECONDS = 600


class Machine:
    """One VM, its disk and console in `folder`."""

    def __init__(self, image: Path, folder: Path, user_data: str) -> None:
        self.folder = folder
        self.http_port, self._ssh_port = free_port(), free_port()
        self.identity = folder / "id"
        self._image = image
        self._process: subprocess.Popen[bytes] | None = None
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.identity))
        base = str((image / "disk.qcow2").resolve())
        _run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", str(folder / "disk.qcow2"))
        public = self.identity.with_suffix(".pub").read_text().strip()
        (folder / "user-data").write_text(user_data)
        (folder / "meta-data").write_text(
            json.dumps({"instance-id": "i-novavm", "local-hostname": "web", "public-keys": [public]})
        )
        seed = ["genisoimage", "-quiet", "-output", "seed.iso", "-volid", "cidata", "-rock"]
        _run(*seed, "user-data", "meta-data", cwd=folder)

    @property
    def url(self) -> str:
        """The VM's port 80, forwarded to loopback."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def console(self) -> str:
        """What the VM has written to its serial console, boot after boot."""
        return (self.folder / "console.log").read_text(errors="replace")

    @property
    def destination(self) -> Destination:
        """The VM as SSH reaches it; its host keys once the console has shown them."""
        return Destination("127.0.0.1", USER, self.identity, host_keys(self.console), self._ssh_port)

    @contextmanager
    def started(self) -> Iterator[None]:
        """On until the end of the block, and then switched off as by its power button."""
        forwarded = f"hostfwd=tcp:127.0.0.1:{self.http_port}-:80,hostfwd=tcp:127.0.0.1:{self._ssh_port}-:22"
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"]
        # The VM's time goes by its instructions, 500 million a second: however busy this machine is, none of its own
        # timeouts ends before its turn, and its seconds can be compared from run to run.
        command += ["-accel", "tcg,thread=single", "-icount", "shift=1", "-cpu", "max", "-smp", "1"]
        command += ["-m", str(MEMORY_MIB)]
        command += ["-kernel", str(self._image / "vmlinuz"), "-initrd", str(self._image / "initrd.img")]
        command += ["-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off"]
        command += ["-drive", f"file={self.folder}/disk.qcow2,if=virtio,format=qcow2,cache=unsafe"]
        command += ["-drive", f"file={self.folder}/seed.iso,if=virtio,format=raw,readonly=on"]
        command += ["-netdev", f"user,id=net,{forwarded}", "-device", "virtio-net-pci,netdev=net"]
        command += ["-device", "virtio-rng-pci", "-serial", f"file:{self.folder}/console.log", "-monitor", "stdio"]
        with (self.folder / "qemu.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self._process = process
        try:
            yield
        finally:
            assert process.stdin is not None
            if process.poll() is None:
                process.stdin.write(b"system_powerdown\n")
                process.stdin.flush()
            try:
                process.wait(_COMMAND_SECONDS)
            finally:
                process.kill()
                process.wait()
                process.stdin.close()

    def require_running(self) -> None:
        """Fail at once, rather than wait, when the emulator has ended."""
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "qemu.log").read_text()

    def run(self, command: str) -> str:
        """The output of a shell command there, as root; it must succeed."""
        to = self.destination
        known = self.folder / "known_hosts"
        known.write_text("".join(f"[{to.address}]:{to.port} {line}\n" for line in to.host_keys))
        ssh = ["ssh", "-F", "none", "-p", str(to.port), "-i", str(self.identity), "-o", "BatchMode=yes"]
        ssh += ["-o", f"UserKnownHostsFile={known}", f"{to.user}@{to.address}", "sudo", "sh", "-s"]
        finished = subprocess.run(
            ssh, input=command, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS
        )
        assert finished.returncode == 0, f"{command}: {finished.stdout}{finished.stderr}"
        return finished.stdout

    def set_clock(self) -> None:
        """Bring its clock, which goes by its instructions, to the time of this machine: no NTP server does it here."""
        self.run(f"date --set=@{time.time():.0f}")

    def uptime(self) -> float:
        """How long it has been on, in seconds of its own clock."""
        return float(self.run("cat /proc/uptime").split()[0])

    def boot(self) -> str | None:
        """The identity of the present boot; None while SSH does not answer."""
        self.require_running()
        try:
            return self.run("cat /proc/sys/kernel/random/boot_id").strip()
        except AssertionError:
            return None


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, cwd=cwd)
