#!/usr/bin/env bash
# The model folder: exported and proved by torch in an environment of its own, which is removed again.
# SOURCE: as in worker.sh. PIP_EXTRA_INDEX_URL: an index with CPU builds of torch, a tenth of the size; may be empty.
# MODEL_OPTIONS: options of worker_ami.bake, empty for the default model. Files that they name lie in worker_ami/, whose
# content is in SOURCE: --model resnet18 --weights /tmp/novaburst/worker_ami/my.pt
# ENGINE: as in worker.sh.
set -euo pipefail
: "${SOURCE:?}" "${ENGINE:?}"

# On the disk and not in /tmp, which may be memory.
baking=$(mktemp --directory /var/tmp/novaburst-bake.XXXXXX)
trap 'rm -rf "$baking"' EXIT
python3 -m venv "$baking/venv"
TMPDIR="$baking" "$baking/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check \
  --constraint "$SOURCE/constraints.txt" "${SOURCE}[worker,bake]"
read -ra options <<<"${MODEL_OPTIONS:-}"
if [ "$ENGINE" = torch ]; then
  options+=(--with-torch)
fi
TMPDIR="$baking" "$baking/venv/bin/python" -m worker_ami.bake --out /opt/novaburst/model "${options[@]}"
chown --recursive root:root /opt/novaburst/model
