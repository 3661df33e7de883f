#!/usr/bin/env bash
# The CloudWatch agent, which ships the worker's log; CloudWatch makes its metrics of the same lines.
# SOURCE: as in worker.sh. AGENT_URL: the agent's package, its signature beside it as .sig; empty leaves the agent out,
# so that the log stays in the journal and its file. AGENT_KEY, AGENT_KEY_URL: the fingerprint of the key that must have
# signed it, and where that key lies. packer.json has Amazon's, as the CloudWatch user guide gives them ("Verifying the
# signature of the CloudWatch agent package").
set -euo pipefail
: "${SOURCE:?}"
[ -n "${AGENT_URL:-}" ] || exit 0
: "${AGENT_KEY:?}" "${AGENT_KEY_URL:?}"

folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
fetch() { python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "$1" "$folder/$2"; }
fetch "$AGENT_URL" agent.deb
fetch "$AGENT_URL.sig" agent.deb.sig
fetch "$AGENT_KEY_URL" key.asc
# gpgv is apt's own; it wants the key without its armour.
sed '1,/^$/d;/^[=-]/,$d' "$folder/key.asc" | base64 --decode >"$folder/key"
status=$(gpgv --keyring "$folder/key" --status-fd 1 "$folder/agent.deb.sig" "$folder/agent.deb")
grep --quiet "^\[GNUPG:\] VALIDSIG .*$AGENT_KEY\$" <<<"$status"
dpkg --install "$folder/agent.deb"
# Which log group it is to write to, the instance finds out at each boot.
install --mode=0644 "$SOURCE/worker_ami/cloudwatch/agent.json" /opt/novaburst/
install --directory --mode=0755 /etc/systemd/system/amazon-cloudwatch-agent.service.d
install --mode=0644 "$SOURCE/worker_ami/cloudwatch/deployment.conf" \
  /etc/systemd/system/amazon-cloudwatch-agent.service.d/novaburst.conf
systemctl enable amazon-cloudwatch-agent.service
