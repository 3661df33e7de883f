#!/usr/bin/env bash
# The machine under the worker: packages, the worker's own user, and a journal that cannot fill the disk.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --yes --quiet --no-install-recommends ca-certificates python3-venv

if ! id novaburst >/dev/null 2>&1; then
  useradd --system --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin novaburst
fi
install --directory --mode=0755 /opt/novaburst /etc/novaburst

install --directory --mode=0755 /etc/systemd/journald.conf.d
cat >/etc/systemd/journald.conf.d/novaburst.conf <<'CONF'
[Journal]
SystemMaxUse=200M
RuntimeMaxUse=50M
CONF
