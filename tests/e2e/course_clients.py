"""The public course workload generators' behaviour, written anew: both generations, as students' graders run them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from requests.exceptions import ConnectionError as Dropped


def generation_2021(url: str, files: list[Path], threads: int = 100) -> dict[str, str]:
    """One `POST <url>` a file, field `myfile`, no timeout; the reply's text by file name, lost when not 200."""

    def send(file: Path) -> tuple[str, str]:
        with file.open("rb") as content:
            reply = requests.post(url, files={"myfile": content})  # noqa: S113 - these clients set none
        return file.name, reply.text if reply.status_code == 200 else f"lost: {reply.status_code} {reply.text}"

    with ThreadPoolExecutor(threads) as pool:
        return dict(pool.map(send, files))


def generation_2024(url: str, files: list[Path], threads: int = 100) -> dict[str, str]:
    """One `POST <url>` a file, field `inputFile`, again for ever when the connection is refused or reset."""

    def send(file: Path) -> tuple[str, str]:
        while True:
            try:
                reply = requests.post(url, files={"inputFile": (file.name, file.read_bytes())})  # noqa: S113
            except Dropped:
                continue
            return file.name, reply.text if reply.status_code == 200 else f"lost: {reply.status_code} {reply.text}"

    with ThreadPoolExecutor(threads) as pool:
        return dict(pool.map(send, files))
