#!/usr/bin/env bash
# Writes schema.request anew from the schemas. Needs the `capnp` compiler; building needs only the request.
set -euo pipefail
cd "$(dirname "$0")"
capnp compile -o- --src-prefix=. ./*.capnp > "${1:-schema.request}"
