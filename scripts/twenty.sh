#!/usr/bin/env bash
# Runs the default ticker twenty times (or as often as told) on an otherwise idle machine and says how each ended.
# About an hour. Its output is committed as results/reference/twenty.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet -p loadgen
folder=results/runs/twenty-$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder"
# A copy: the same program every time, whatever is built meanwhile.
cp "${CARGO_TARGET_DIR:-target}/debug/loadgen" "$folder/loadgen"
valid=0
for run in $(seq -w "${1:-20}"); do
  code=0
  "$folder/loadgen" --scenario ticker --quiet -o "$folder/$run" >"$folder/$run.txt" || code=$?
  [ "$code" -ne 0 ] || valid=$((valid + 1))
  echo "run $run: exit $code; $(head -n 1 "$folder/$run.txt") $(grep -c '^- doubt' "$folder/$run.txt" || true) doubts"
  grep -E '^(latency p50|latency p99|server CPU)  ' "$folder/$run.txt"
done
echo "$valid of ${1:-20} runs were valid"
