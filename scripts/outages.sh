#!/usr/bin/env bash
# Every fault whose meaning is not loss, once a lane, at 10,000 clients: nothing may be lost, come twice, or stay
# unexplained (a run where it does is invalid, and this ends). About ten minutes on four lanes: outages.sh [FOLDER [LANES]].
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-$(mktemp -d)}
lanes=${2:-sse-h1,ws-h1,sse-h2,ws-h2}
cargo build --quiet -p loadgen
all='[{kind="drain",at="1250ms"},{kind="drain",at="1250ms",down="1s"},{kind="kill",at="1250ms",down="1s"},{kind="reset",at="1250ms"},{kind="blackhole",at="1250ms"},{kind="stop",at="1250ms",down="1s"},{kind="unavailable",at="1250ms",down="1s"},{kind="rolling",at="1250ms",down="1s"},{kind="churn",at="1250ms",every="5s",down="1s"}]'
# A middlebox holds two descriptors a connection, and a process here 20,000.
idle='[{kind="idle",at="1250ms",down="2s"}]'
uname -rm; git describe --always --dirty; nproc
common=(-s herd --lanes "$lanes" --quiet --set 'outage.policies=["full-jitter"]' --set 'outage.hints=["none"]' --set outage.settle=30s)
target/debug/loadgen "${common[@]}" -o "$out/faults" --set "outage.faults=$all" --set outage.heartbeat=1s --set outage.silence=3s
target/debug/loadgen "${common[@]}" -o "$out/idle" --set "outage.faults=$idle" --set idle_timeout=1s -c 9900
