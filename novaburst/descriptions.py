"""botocore's descriptions of the AWS services, read into plain dicts and with nothing for a reader in them.

botocore makes an OrderedDict of each object in them, from times when a dict had no order. The five services of a web
tier take 33 MB and 0.36 s of CPU time that way; like this 18 MB and 0.31 s.
"""

import gzip
import json
from typing import Any

import boto3
import botocore.session
from botocore.loaders import JSONFileLoader
from botocore.session import Session

from novaburst.replies import Replies

# As botocore packs them.
_OPENERS = ((".json", open), (".json.gz", gzip.open))


class Descriptions(JSONFileLoader):
    """Reads a description for botocore's loader, which keeps it."""

    def load_file(self, file_path: str) -> Any:
        """What is in the file of that path and one of the extensions; None without such a file."""
        for extension, opener in _OPENERS:
            try:
                with opener(file_path + extension, "rb") as file:
                    return json.load(file, object_pairs_hook=_undocumented)
            except FileNotFoundError:
                continue
        return None


def core_session() -> Session:
    """A botocore session, with what the environment says, that reads descriptions so, and replies as Replies does."""
    session = botocore.session.get_session()
    session.get_component("data_loader").file_loader = Descriptions()
    session.register_component("response_parser_factory", Replies())
    return session


def default_session() -> boto3.Session:
    """boto3's default session; one that reads descriptions so, unless there is one already."""
    if boto3.DEFAULT_SESSION is None:
        boto3.DEFAULT_SESSION = boto3.Session(botocore_session=core_session())
    return boto3.DEFAULT_SESSION


def _undocumented(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # botocore asks for some of these texts by name, and a member of that name is none.
    return {name: "" if name == "documentation" and isinstance(value, str) else value for name, value in pairs}
