#!/usr/bin/env bash
# Tests the operator's page in a headless Chromium against canned answers: no models, no camera, no address but loopback.
# Called by `make test`. Screenshots go to target/screenshots.
set -euo pipefail
cd "$(dirname "$0")"

skip() {
  if [ "${CI:-}" = "true" ]; then
    echo "tests/web: $1; in CI the page must be tested: run deploy/prepare-debian.sh first" >&2
    exit 1
  fi
  echo "skipped: tests/web: $1"
  exit 0
}

chromium=$(command -v chromium || command -v chromium-browser || true)
[ -n "$chromium" ] || skip "there is no chromium (Debian package chromium)"
command -v npm >/dev/null 2>&1 || skip "there is no npm (Debian package npm)"
command -v node >/dev/null 2>&1 || skip "there is no node (Debian package nodejs)"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' || skip "node is older than 18"

# Again only where the lock file has changed since: a second run needs no registry.
stamp=node_modules/.installed
if ! cmp -s package-lock.json "$stamp"; then
  npm ci --no-audit --no-fund --loglevel=error >/dev/null || skip "npm could not fetch playwright-core"
  cp package-lock.json "$stamp"
fi

mkdir -p ../../target/screenshots
VONG_CHROMIUM=$chromium exec node --test words.test.mjs state.test.mjs page.test.mjs
