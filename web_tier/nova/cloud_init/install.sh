#!/bin/sh
# `novaburst-install REQUIREMENT`: the web tier into its virtual environment, and this machine made to serve it. cloud-init
# runs it at the first boot; run again, with another version, it upgrades.
set -eu

venv=/opt/novaburst/venv

sysctl --quiet --load=/etc/sysctl.d/60-novaburst.conf
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
PIP_CONFIG_FILE=/etc/novaburst/pip.conf "$venv/bin/pip" install --upgrade "$1"

set -a
. /etc/novaburst/web.env
exec "$venv/bin/python" -m web_tier.nova.machine
