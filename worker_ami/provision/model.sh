#!/usr/bin/env bash
# The model folder: exported and proved by torch in an environment of its own, which is removed again.
# SOURCE: as in worker.sh. PIP_EXTRA_INDEX_URL: an index with CPU builds of torch, a tenth of the size; may be empty.
# MODEL_OPTIONS: options of worker_ami.bake, empty for the default model. Files that they name lie in worker_ami/, whose
# content is in SOURCE: --model resnet18 --weights /tmp/novaburst/worker_ami/my.pt
# ENGINE: as in worker.sh; onnxruntime-int8 wants photos to calibrate with: --int8 /tmp/novaburst/worker_ami/photos
set -euo pipefail
: "${SOURCE:?}" "${ENGINE:?}"

read -ra options <<<"${MODEL_OPTIONS:-}"
case "$ENGINE" in
  onnxruntime) ;;
  onnxruntime-int8)
    if [[ " ${options[*]} " != *" --int8 "* && " ${options[*]} " != *" --int8="* ]]; then
      echo "model.sh: the engine onnxruntime-int8 is calibrated with photos: name their folder by --int8 in MODEL_OPTIONS" >&2
      exit 1
    fi
    ;;
  torch) options+=(--with-torch) ;;
  *)
    echo "model.sh: no engine is called $ENGINE; there are onnxruntime, onnxruntime-int8 and torch" >&2
    exit 1
    ;;
esac

# On the disk and not in /tmp, which may be memory.
baking=$(mktemp --directory /var/tmp/novaburst-bake.XXXXXX)
trap 'rm -rf "$baking"' EXIT
python3 -m venv "$baking/venv"
TMPDIR="$baking" "$baking/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check \
  --constraint "$SOURCE/constraints.txt" "${SOURCE}[worker,bake]"
TMPDIR="$baking" "$baking/venv/bin/python" -m worker_ami.bake --out /opt/novaburst/model "${options[@]}"
chown --recursive root:root /opt/novaburst/model
