#!/usr/bin/env bash
# The CloudWatch agent, which ships the worker's log; CloudWatch makes its metrics of the same lines.
# SOURCE: as in worker.sh. PREFIX: names the log group. AGENT_URL: the agent's package; empty leaves the agent out, so
# that the log stays in the journal and its file.
set -euo pipefail
: "${SOURCE:?}" "${PREFIX:?}"
[ -n "${AGENT_URL:-}" ] || exit 0

# The fingerprint of Amazon's key, as the CloudWatch user guide has it ("Verifying the signature").
key=937616F3450B7D806CBD9725D58167303B789C72
key_url=https://amazoncloudwatch-agent.s3.amazonaws.com/assets/amazon-cloudwatch-agent.gpg

DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends gpg
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
fetch() { python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "$1" "$folder/$2"; }
fetch "$AGENT_URL" agent.deb
fetch "$AGENT_URL.sig" agent.deb.sig
fetch "$key_url" key.asc
gpg --homedir "$folder" --batch --quiet --import "$folder/key.asc"
gpg --homedir "$folder" --batch --status-fd 1 --verify "$folder/agent.deb.sig" "$folder/agent.deb" 2>/dev/null |
  grep --quiet "^\[GNUPG:\] VALIDSIG .*$key\$"
dpkg --install "$folder/agent.deb"
sed "s/@PREFIX@/$PREFIX/" "$SOURCE/worker_ami/cloudwatch/agent.json" \
  >/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json
systemctl enable amazon-cloudwatch-agent.service
