#!/usr/bin/env bash
# The worker's unit, and the rule that a boot which cannot be configured ends in power-off, never in an idle bill.
# SOURCE, ENGINE: as in worker.sh.
set -euo pipefail
: "${SOURCE:?}" "${ENGINE:?}"

install --mode=0644 "$SOURCE/worker_ami/systemd/novaburst-worker.service" /etc/systemd/system/
# The image says which engine it was made for; an environment file that names another one wins.
install --directory --mode=0755 /etc/systemd/system/novaburst-worker.service.d
printf '[Service]\nEnvironment=NOVABURST_ENGINE=%s\n' "$ENGINE" \
  >/etc/systemd/system/novaburst-worker.service.d/engine.conf
for unit in cloud-init-local cloud-init cloud-config; do
  install --directory --mode=0755 "/etc/systemd/system/$unit.service.d"
  printf '[Unit]\nFailureAction=poweroff\n' >"/etc/systemd/system/$unit.service.d/novaburst.conf"
done
# On EC2 nobody logs in at the console of a boot that has failed.
install --directory --mode=0755 /etc/systemd/system/emergency.service.d
cat >/etc/systemd/system/emergency.service.d/novaburst.conf <<'CONF'
[Service]
ExecStart=
ExecStart=/usr/bin/systemctl --no-block poweroff
CONF
# Enabled and not started: the machine that bakes the image must not take work.
systemctl enable novaburst-worker.service
