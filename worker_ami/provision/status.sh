#!/usr/bin/env bash
# nginx before the worker's status, and nothing else on its port.
# SOURCE: as in worker.sh.
set -euo pipefail
: "${SOURCE:?}"

DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends nginx
rm -f /etc/nginx/sites-enabled/default
install --mode=0644 "$SOURCE/worker_ami/nginx/novaburst-worker.conf" /etc/nginx/sites-available/
ln --symbolic --force ../sites-available/novaburst-worker.conf /etc/nginx/sites-enabled/
nginx -t -q
