#!/usr/bin/env bash
# Every fault whose meaning is not loss, once a lane, at 10,000 clients: nothing may be lost, come twice, or stay
# unexplained (a run where it does is invalid, and this ends). Then the herd against what it costs at least.
# About fifteen minutes on four lanes: outages.sh [FOLDER [LANES]].
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-$(mktemp -d)}
lanes=${2:-sse-h1,ws-h1,sse-h2,ws-h2}
cargo build --quiet -p loadgen
uname -rm; git describe --always --dirty; nproc
common=(-s herd --lanes "$lanes" --quiet --set 'outage.policies=["full-jitter"]' --set 'outage.hints=["none"]' --set outage.settle=30s)
silence=(--set outage.heartbeat=1s --set outage.silence=3s)
all='[{kind="drain",at="1250ms"},{kind="drain",at="1250ms",down="1s"},{kind="kill",at="1250ms",down="1s"},{kind="reset",at="1250ms"},{kind="stop",at="1250ms",down="4s"},{kind="unavailable",at="1250ms",down="1s"},{kind="rolling",at="1250ms",down="1s"},{kind="churn",at="1250ms",every="5s",down="1s"}]'
target/debug/loadgen "${common[@]}" "${silence[@]}" -o "$out/faults" --set "outage.faults=$all"
# A server holds the dead connection beside the new one, a middlebox both ends, and a process here 20,000 descriptors. The
# middlebox is patient enough for the last of them to connect.
target/debug/loadgen "${common[@]}" "${silence[@]}" -o "$out/blackhole" --set 'outage.faults=[{kind="blackhole",at="1250ms"}]' -c 9500
target/debug/loadgen "${common[@]}" -o "$out/idle" --set 'outage.faults=[{kind="idle",at="1250ms",down="5s"}]' --set idle_timeout=3s -c 9500
# All at once, without a delay that spreads them, and reset, which costs the server least: how long until the last has all
# again, against what the kernel needs to accept them and the hub to replay.
target/debug/loadgen "${common[@]}" -o "$out/at-once" --set 'outage.faults=[{kind="reset",at="1250ms"}]' --set outage.retry_scale=0.001
cargo bench --quiet -p servers --profile dev --bench herd
