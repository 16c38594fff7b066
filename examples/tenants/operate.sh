#!/usr/bin/env bash
# Does what an operator does to the example `tenants`: reloads, refused files, a pause of the host, and a stop.
#
#   examples/tenants/operate.sh target/debug/examples/tenants
#
# Prints each step, and fails at the first page or exit status that is not as it should be.
set -euo pipefail
program=$1
here=$(cd "$(dirname "$0")" && pwd)
scene=$(mktemp -d)
file=$scene/tenants.json
log=$scene/log
cp "$here/tenants.json" "$file"

"$program" "$file" --listen 127.0.0.1:0 >"$log" 2>&1 &
process=$!
trap 'kill -KILL $process 2>/dev/null || true; rm -rf "$scene"' EXIT

fail() {
    printf 'failed: %s\n' "$*"
    tail -n 40 "$log"
    exit 1
}

# page PATH: prints the response, its head included.
page() {
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 0
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3
    cat <&3
    exec 3>&-
}

# until_page PATH PATTERN: waits until the page has a line of this pattern.
until_page() {
    for _ in $(seq 600); do
        if page "$1" | grep -q -- "$2"; then
            printf 'ok: %s says "%s"\n' "$1" "$2"
            return
        fi
        sleep 0.1
    done
    page "$1" | head -n 20
    fail "$1 does not say \"$2\""
}

# has_not PATH PATTERN
has_not() {
    local seen
    # Of one look: what it shows may have passed by the next.
    if seen=$(page "$1" | grep -- "$2"); then
        fail "$1 says \"$2\": $seen"
    fi
    printf 'ok: %s does not say "%s"\n' "$1" "$2"
}

# until_not PATH PATTERN: waits until the page is there, and has no line of this pattern.
until_not() {
    local seen
    for _ in $(seq 600); do
        seen=$(page "$1")
        if grep -q 'HTTP/1.0 200' <<<"$seen" && ! grep -q -- "$2" <<<"$seen"; then
            printf 'ok: %s does not say "%s"\n' "$1" "$2"
            return
        fi
        sleep 0.1
    done
    fail "$1 says \"$2\": $seen"
}

until_log() {
    for _ in $(seq 600); do
        if grep -q -- "$1" "$log"; then
            printf 'ok: the log says "%s"\n' "$1"
            return
        fi
        kill -0 "$process" 2>/dev/null || fail "the program has ended"
        sleep 0.1
    done
    fail "the log does not say \"$1\""
}

until_log '^http://'
port=$(sed -n 's|^http://127.0.0.1:\([0-9]*\)/.*|\1|p' "$log")

printf '\nstart: all but the bad tenant run, and the service is ready\n'
until_page / 'kept 0, added 100, replaced 0, removed 0'
until_page /readyz 'does not count: tenants/tenant-013: failed: Connection refused'
until_page /readyz 'HTTP/1.0 200'
until_page / '<p>99 tenants;'
until_page / '<tr><td>tenant-100<td>interval<td>[1-9]'
until_page /livez 'HTTP/1.0 200'

printf '\nkill -HUP: one is mended, one is changed, one is gone and one is new\n'
sed -i -e 's/, "address": "127.0.0.1:1"//' \
    -e '/"tenant-001"/s/"every_ms": [0-9]*/"every_ms": 120/' \
    -e '/"tenant-002"/d' \
    -e 's/{"name": "tenant-100"/{"name": "newcomer", "every_ms": 300},\n  &/' "$file"
kill -HUP "$process"
until_page / 'kept 97, added 2, replaced 1, removed 1'
until_page / '<p>100 tenants;'
until_page / '<tr><td>tenant-013<td>interval<td>[1-9]'
until_page / '<tr><td>newcomer<td>interval<td>[1-9]'
has_not / 'tenant-002'
# A tenant that was replaced counts from its first success on.
until_not /readyz 'does not count'

printf '\nkill -HUP: a file that is refused changes nothing\n'
cp "$file" "$scene/good.json"
sed -i 's/{"name": "tenant-050"/{"name": "tenant-051"/' "$file"
kill -HUP "$process"
until_page / 'refused, nothing has changed: .*tenant-051'
printf '[{"name": "tenant-001", "every": 5}]' >"$file"
kill -HUP "$process"
until_page / 'refused, nothing has changed: .*unknown field `every`'
until_page / '<p>100 tenants;'
until_page /readyz 'HTTP/1.0 200'
cp "$scene/good.json" "$file"
kill -HUP "$process"
until_page / 'kept 100, added 0, replaced 0, removed 0'

printf '\nkill -STOP, kill -CONT: a pause of the host fails nobody\n'
kill -STOP "$process"
sleep 4
kill -CONT "$process"
until_page /readyz 'HTTP/1.0 200'
has_not / 'timed out'
has_not /readyz 'does not count'

printf '\nkill -TERM: all stop, and the exit status is 0\n'
kill -TERM "$process"
status=0
wait "$process" || status=$?
[ "$status" = 0 ] || fail "the exit status is $status"
# The bad tenant was parked with an error. Nothing else may end with one.
if grep 'ERROR' "$log" | grep -qv 'ActorExhausted *tenants/tenant-013'; then fail "the log has an error"; fi
printf 'ok: the exit status is 0\n'
