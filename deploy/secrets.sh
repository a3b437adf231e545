#!/bin/bash
# Makes in secrets/ what is random, and says what people have to put there. What is there already stays as it is.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

# random prints 40 letters and digits.
random() { head -c 20 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# keep writes a text to a file that isn't there yet. The containers' users must be able to read it; on this machine the folder
# keeps everybody else out.
keep() {
  [ -e "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"
  chmod 0444 "secrets/$1"
}

keep postgres-password "$(random)"
for of in owner:mde_owner mcp:mde_mcp_login slackbot:mde_slackbot_login; do
  keep "store-${of%%:*}" "postgres://${of#*:}:$(random)@db:5432/mdeops?sslmode=disable"
done

for file in reader.pem writer.pem slack-bot-token slack-app-token vote-signing-key audit-signing-key; do
  if [ -s "secrets/$file" ]; then chmod 0444 "secrets/$file"; else echo "to do: secrets/$file"; fi
done
