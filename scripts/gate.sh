#!/usr/bin/env bash
# The exact gate for any CI system: gate.sh [BASELINES [FOLDER [ARGUMENTS OF gate ...]]].
# Prints what was judged and leaves it in FOLDER as judged.{txt,json,md}, junit.xml, annotations.txt and line.txt. Ends
# with the gate's own code: 0 good, 97 invalid, 98 worse, 99 budget crossed, 104 no baseline or bad arguments.
set -euo pipefail
cd "$(dirname "$0")/.."
baselines=${1:-results/baselines}
folder=${2:-results/runs/gate}
shift $(($# < 2 ? $# : 2))
# What an earlier gate left must not pass for this one's.
for form in judged.txt judged.json judged.md junit.xml annotations.txt line.txt; do rm -f "$folder/$form"; done
exec cargo run --quiet -p loadgen -- gate --baseline "$baselines" -o "$folder" "$@"
