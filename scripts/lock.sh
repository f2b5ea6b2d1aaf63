#!/usr/bin/env bash
# Write requirements.lock from the environment in .venv: names and versions only, no addresses, no local paths.
set -euo pipefail
.venv/bin/pip freeze --exclude-editable --exclude shapeproof |
    sed -E 's/^torch==([0-9.]+)\+cpu$/torch==\1/' > requirements.lock.new
if grep -nE '@|://|file:' requirements.lock.new; then
    echo "requirements.lock would hold an address or a path; not written" >&2
    exit 1
fi
mv requirements.lock.new requirements.lock
