#!/usr/bin/env bash
# Runs a command with a new token of opencryptoki; opencryptoki.sh DIRECTORY LABEL PIN SO_PIN COMMAND…
# In namespaces of its own: what is mounted, and the daemon, end with the command. The token
# stays in DIRECTORY.
set -euo pipefail
directory=$1 label=$2 pin=$3 so_pin=$4
shift 4

readonly SLOT=3 # of the software token in Debian's opencryptoki.conf
mkdir -p "$directory/token/swtok/TOK_OBJ"
mount --bind "$directory/token" /var/lib/opencryptoki
mount -t tmpfs tmpfs /run
mkdir -p /run/lock/opencryptoki/swtok /run/opencryptoki
chgrp -R pkcs11 /run/lock /run/opencryptoki /var/lib/opencryptoki
chmod -R 770 /run/lock /run/opencryptoki /var/lib/opencryptoki

pkcsslotd
until pkcsconf -t >/dev/null 2>&1; do sleep 0.05; done
if ! pkcsconf -t -c $SLOT | grep -q "Label: $label "; then
  {
    printf '87654321\n%s\n' "$label" | pkcsconf -I -c $SLOT # the SO's PIN as it is delivered
    pkcsconf -P -c $SLOT -S 87654321 -n "$so_pin"
    pkcsconf -u -c $SLOT -S "$so_pin" -n "$pin"
  } >/dev/null
fi
exec "$@"
