"""Every place where moto differs from AWS and it matters to us, mended; nothing here adds a feature of our own.

`apply` changes moto's classes in this process for good, so only the embedded AWS's own process may call it.
"""

from local_cloud.lambda_host import LambdaHost
from local_cloud.mends import alarms, exports, functions, instances, queues, resources


def apply(functions_host: LambdaHost) -> None:
    """Mend moto; deployed functions then run in `functions_host`. To be called once, before the first API call."""
    queues.apply()
    instances.apply()
    resources.apply()
    alarms.apply()
    exports.apply()
    functions.apply(functions_host)
