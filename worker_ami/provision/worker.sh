#!/usr/bin/env bash
# The worker's virtual environment: what it needs at run time, neither torch nor a compiler.
# SOURCE: the folder with pyproject.toml, constraints.txt and the packages novaburst and worker_ami.
set -euo pipefail
: "${SOURCE:?}"

python3 -m venv /opt/novaburst/venv
/opt/novaburst/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
  --constraint "$SOURCE/constraints.txt" "${SOURCE}[worker]"
/opt/novaburst/venv/bin/python -m compileall -q /opt/novaburst/venv/lib
