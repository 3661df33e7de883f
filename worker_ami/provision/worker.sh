#!/usr/bin/env bash
# The worker's virtual environment: what it needs at run time, no compiler, and torch only for the engine of that name.
# SOURCE: the folder with pyproject.toml, constraints.txt and the packages novaburst and worker_ami. ENGINE: what the
# worker computes with, a value of NOVABURST_ENGINE. PIP_EXTRA_INDEX_URL: as in model.sh.
set -euo pipefail
: "${SOURCE:?}" "${ENGINE:?}"

engine=()
if [ "$ENGINE" = torch ]; then
  engine=(torch)
fi

venv=/opt/novaburst/venv
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --no-cache-dir --no-compile --disable-pip-version-check \
  --constraint "$SOURCE/constraints.txt" "${SOURCE}[worker]" "${engine[@]}"
# What no worker reads: the means to install, tests, stubs for type checkers, and the APIs of all services but two.
"$venv/bin/pip" uninstall --quiet --yes setuptools pip
packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
find "$packages" -depth \( -type d -name tests -o -type f -name '*.pyi' \) -exec rm -r {} +
find "$packages/botocore/data" -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sqs -exec rm -r {} +
# A package may hold files for another version of Python (torch does), which nothing imports here.
"$venv/bin/python" -m compileall -qq "$venv/lib" || "$venv/bin/python" -m compileall -q "$packages"/{novaburst,worker_ami}
