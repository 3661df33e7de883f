"""Which calls each tier makes, found in its source, and what IAM asks of each: an action on a resource.

The wrappers (`novaburst.objects.Bucket`, `novaburst.storage.Storage`, `novaburst.queues.Queue`) are told apart by what
their holders are called, which is a rule of this code: a bucket's name ends with `bucket`, a queue's with `queue`.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name

from tests.unit.infra.iam import PROJECT

# The packages of each tier as it runs, and what they share that calls for them; `web_tier/nova` is run by an operator,
# under the operator's own key.
SOURCES = {
    "worker": ("worker_ami/worker", "novaburst/result_objects.py"),
    "web tier": ("web_tier", "novaburst/result_objects.py"),
    "lambda": ("scaling_lambda",),
}
NOT_OF_THE_TIER = ("web_tier/nova",)
_SERVICES = ("s3", "sqs", "ec2", "lambda", "sns", "sts", "iam", "logs", "cloudwatch", "cloudformation", "ssm")
# obstore's two functions, which are no client's methods.
_OBSTORE = {"obstore.get": "get_object", "obstore.put": "put_object"}


@cache
def operations() -> frozenset[str]:
    """Every method of the clients, by botocore's own descriptions; those of one word may be anybody's, but `invoke`."""
    session = botocore.session.Session()
    names = {xform_name(name) for service in _SERVICES for name in session.get_service_model(service).operation_names}
    return frozenset({name for name in names if "_" in name} | {"invoke"})


def files(tier: str) -> list[Path]:
    """The tier's modules."""
    places = [PROJECT / source for source in SOURCES[tier]]
    found = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*.py")))]
    return [path for path in found if not path.relative_to(PROJECT).as_posix().startswith(NOT_OF_THE_TIER)]


def operations_in(tree: ast.AST) -> set[str]:
    """The clients' methods that are named below a node: called, handed on, paginated or used to sign an address."""
    found: set[str] = set()
    for node in ast.walk(tree):
        # A method may be handed on and called elsewhere.
        if isinstance(node, ast.Attribute):
            name = node.attr
            if name in operations() or name.startswith("generate_presigned_"):
                found.add(name)
            if ast.unparse(node) in _OBSTORE:
                found.add(_OBSTORE[ast.unparse(node)])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".get_paginator", ".get_waiter")):
            [asked] = node.args
            assert isinstance(asked, ast.Constant), "name the operation itself, so that this can be read"
            found.add(str(asked.value))
    return found


def direct_operations(tier: str) -> dict[str, set[str]]:
    """The clients' methods that the tier's own modules call, by module."""
    calls = {path: operations_in(ast.parse(path.read_text())) for path in files(tier)}
    return {path.relative_to(PROJECT).as_posix(): found for path, found in calls.items() if found}


def wrapper_operations(module: str) -> dict[str, set[str]]:
    """The clients' methods that each method of the module's classes calls."""
    tree = ast.parse((PROJECT / module).read_text())
    methods = [
        function
        for one in tree.body
        if isinstance(one, ast.ClassDef)
        for function in one.body
        if isinstance(function, ast.FunctionDef)
    ]
    found = {function.name: operations_in(function) for function in methods}
    for function in methods:
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
                found[function.name] |= found.get(node.attr, set())
    return {name: calls for name, calls in found.items() if calls}


def wrapper_uses(tier: str) -> set[tuple[str, str]]:
    """What the tier does with its buckets and queues: the module, and `bucket.put` as it is written there."""
    found = set()
    for path in files(tier):
        module = path.relative_to(PROJECT).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and (holder := _holder(node.value)):
                found.add((module, f"{holder}.{node.attr}"))
    return {(module, use) for module, use in found if use.rpartition(".")[2] in set(_methods())}


def _methods() -> Iterator[str]:
    for module in ("novaburst/objects.py", "novaburst/storage.py", "novaburst/queues.py"):
        yield from (name for name in wrapper_operations(module) if name != "__init__")


def _holder(node: ast.expr) -> str | None:
    """`in_bucket` of `self._in_bucket`, `deployment.in_bucket` and `self._in_bucket()`."""
    if isinstance(node, ast.Call):
        return _holder(node.func)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    # `queue` is a standard module, too, whose names begin with capitals.
    return name.lstrip("_") if name.endswith(("bucket", "queue")) else None
