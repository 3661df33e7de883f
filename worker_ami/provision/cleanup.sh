#!/usr/bin/env bash
# Nothing of the bake stays in the image: no source, no keys, no identity, no caches.
# SOURCE: as in worker.sh.
set -euo pipefail
: "${SOURCE:?}"

apt-get clean
rm -rf "$SOURCE" /var/lib/apt/lists/* ~root/.cache
rm -f /etc/ssh/ssh_host_*
cloud-init clean --logs --seed
truncate --size=0 /etc/machine-id
# As sd_booted(3) tells: a root folder has neither a journal that runs nor disks of its own.
if [ -d /run/systemd/system ]; then
  journalctl --rotate --vacuum-time=1s --quiet
  # What was written and deleted must not be carried along in the snapshot; a filesystem that cannot trim is no fault.
  fstrim --all || true
fi
sync
