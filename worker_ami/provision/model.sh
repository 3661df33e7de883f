#!/usr/bin/env bash
# The model folder: exported and proved by torch in an environment of its own, which is removed again.
# SOURCE: as in worker.sh. PIP_EXTRA_INDEX_URL: an index with CPU builds of torch, a tenth of the size; may be empty.
set -euo pipefail
: "${SOURCE:?}"

# On the disk and not in /tmp, which may be memory.
baking=$(mktemp --directory /var/tmp/novaburst-bake.XXXXXX)
trap 'rm -rf "$baking"' EXIT
python3 -m venv "$baking/venv"
TMPDIR="$baking" "$baking/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check \
  --constraint "$SOURCE/constraints.txt" "${SOURCE}[worker,bake]"
"$baking/venv/bin/python" -m worker_ami.bake --out /opt/novaburst/model
chown --recursive root:root /opt/novaburst/model
