"""The web tier shares the scaling decision with the Lambda, but not what only the Lambda has installed."""

import subprocess
import sys


def test_the_web_tier_needs_nothing_of_the_lambdas_package_nor_of_the_workers() -> None:
    foreign = ("aws_lambda_powertools", "chalice", "moto", "numpy", "onnxruntime", "PIL", "torch")
    program = f"""
import sys
for name in {foreign!r}:
    sys.modules[name] = None  # importing it now raises ImportError
import web_tier.app, web_tier.listener, novaburst.commands.scale, novaburst.commands.plan
import novaburst.commands.rebuild, novaburst.commands.dlq
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
