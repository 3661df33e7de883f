"""The process that a deployed function runs in: it loads the handler once and answers one invocation after another.

Run as a script by `local_cloud.lambda_host`, with only the standard library, so that nothing but the function's own
package and the runtime's packages can be imported: DESCRIPTOR TASK_FOLDER RUNTIME_FOLDER HANDLER. Invocations and
answers are JSON, a line each, on the socket DESCRIPTOR.
"""

import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

Handler = Callable[[Any, "Context"], Any]


class Context:
    """What a handler learns about its invocation: the fields of Lambda's Python context object."""

    def __init__(self, request_id: str, deadline_seconds: float, arn: str) -> None:
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn = arn
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline_seconds = deadline_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout; never negative."""
        return max(0, int((self._deadline_seconds - time.time()) * 1000))


def load(name: str) -> Handler:
    """The handler `package.module.function`; a failure to load it is raised by each invocation, as on AWS."""
    module, _, function = name.rpartition(".")
    try:
        handler: Handler = getattr(importlib.import_module(module), function)
    except Exception as error:
        kind = {
            ImportError: "Runtime.ImportModuleError",
            ModuleNotFoundError: "Runtime.ImportModuleError",
            AttributeError: "Runtime.HandlerNotFound",
            SyntaxError: "Runtime.UserCodeSyntaxError",
        }.get(type(error), type(error).__name__)
        failure = {"errorType": kind, "errorMessage": f"Unable to load '{name}': {error}", "stackTrace": _trace(error)}
        return lambda event, context: _Failure(failure)
    return handler


class _Failure(dict[str, Any]):
    """An answer that is an error."""


def answer(handler: Handler, event: Any, context: Context) -> dict[str, Any]:
    """Call the handler; `{"payload": JSON text}`, or the same with `"failed": true` and Lambda's error object."""
    try:
        result = handler(event, context)
        return {"payload": json.dumps(result), "failed": isinstance(result, _Failure)}
    except Exception as error:  # the function's own error is its answer
        logging.getLogger().exception("the handler raised")
        failure = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "requestId": context.aws_request_id,
            "stackTrace": _trace(error),
        }
        return {"payload": json.dumps(failure), "failed": True}


def _trace(error: BaseException) -> list[str]:
    return traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])


def main(descriptor: int, task_folder: str, runtime_folder: str, handler_name: str) -> None:
    """Answer invocations until the host closes the socket."""
    sys.path[:0] = [task_folder, runtime_folder]
    logging.basicConfig(format="[%(levelname)s]\t%(asctime)s\t%(message)s", stream=sys.stdout)
    handler = load(handler_name)
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rw", encoding="utf-8") as lines:
        for line in lines:
            invocation = json.loads(line)
            context = Context(invocation["id"], invocation["deadline"], invocation["arn"])
            print(f"START RequestId: {context.aws_request_id} Version: {context.function_version}")
            began = time.monotonic()
            outcome = answer(handler, json.loads(invocation["event"]), context)
            print(f"REPORT RequestId: {context.aws_request_id} Duration: {(time.monotonic() - began) * 1000:.1f} ms")
            lines.write(json.dumps(outcome) + "\n")
            lines.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
