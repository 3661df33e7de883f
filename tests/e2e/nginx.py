"""nginx before a web tier, with the site that deployments use, as a user without rights runs it."""

import getpass
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.cloud import free_port, until
from web_tier.connections import with_room

# What a distribution's own nginx.conf says, but every path below one folder; with connections as a deployment's has.
# The user matters to root alone, whose folders nobody else can write.
_MAIN = """
daemon off;
user {user};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 768; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class Nginx:
    """A running nginx: its addresses, its folder of logs and temporary files, and its master process."""

    def __init__(self, folder: Path, port: int, tls_port: int, process: "subprocess.Popen[bytes]") -> None:
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        # Where the settings name a certificate.
        self.tls_port = tls_port
        self.tls_url = f"https://127.0.0.1:{tls_port}"
        self.process = process


def site(port: int, tls_port: int, environment: Mapping[str, str]) -> str:
    """The site as `python -m web_tier.site` prints it for these settings."""
    command = [sys.executable, "-m", "web_tier.site", "--listen", f"127.0.0.1:{port}"]
    command += ["--tls-listen", f"127.0.0.1:{tls_port} ssl"]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=dict(environment)).stdout


@contextmanager
def before(environment: Mapping[str, str], folder: Path) -> Iterator[Nginx]:
    """nginx before the web tier of these settings (`NOVABURST_BIND` above all)."""
    folder.mkdir(parents=True, exist_ok=True)
    port, tls_port = free_port(), free_port()
    (folder / "site.conf").write_text(site(port, tls_port, environment))
    (folder / "nginx.conf").write_text(with_room(_MAIN.format(folder=folder, user=getpass.getuser())))
    executable = shutil.which("nginx", path=f"{environment.get('PATH', '')}:/usr/sbin")
    assert executable, "nginx is not installed"
    command = [executable, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        until(lambda: _listens(port) or process.poll() is not None, 30)
        assert process.poll() is None, (folder / "output").read_text() + (folder / "error.log").read_text()
        yield Nginx(folder, port, tls_port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
