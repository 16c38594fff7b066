#!/usr/bin/env bash
# Tests of the page in a real browser, against a real program. Installs what is missing: Chromium (by apt) and the two
# packages of `package.json` (by npm). Arguments go to `node --test`, such as the name of a file in `tests/`.
set -euo pipefail
cd "$(dirname "$0")"

command -v node >/dev/null || { echo "node is missing: the browser tests need Node.js 20" >&2; exit 1; }
if ! command -v "${CHROMIUM:-chromium}" >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null
fi
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent

# The program, and where it was built.
LIVE=$(cargo build --quiet -p taskvisor-console --example live --features fleet,serve --message-format=json-render-diagnostics |
    grep -o '"executable":"[^"]*examples/live[^"]*"' | cut -d'"' -f4)
export LIVE

if [ $# -eq 0 ]; then set -- tests/*.test.js; fi
exec node --test --test-concurrency=1 --test-timeout=900000 "$@"
