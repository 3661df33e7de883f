"""ONNX Runtime, imported here and nowhere else, because its import is where its telemetry must be refused.

Since 1.29 the official Linux builds send session data (model hashes, names, host) to their maker unless
ORT_DISABLE_TELEMETRY is set before the library is loaded; `disable_telemetry_events()` comes too late, after the
library has made an identity of the machine in the home folder. Nobody's model or images are anybody else's business.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # type: ignore[import-untyped]

__all__ = ["onnxruntime"]
