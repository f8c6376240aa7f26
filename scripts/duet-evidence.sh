#!/usr/bin/env bash
# Records the evidence for the error rates of `loadgen duet` into a folder, and evaluates it: sessions of this tree against itself, and
# with 10 % and 5 % more server CPU. About 80 minutes; the machine must have nothing else to do. Sessions that are there already
# are kept, so that it can be taken up again; an invalid one is measured anew once.
#
#     scripts/duet-evidence.sh FOLDER [OPTION...]     # options of `loadgen duet`, such as --lanes ws-h1
#     AA=2 INJECTED=2 scripts/duet-evidence.sh /tmp/x --pairs 24 --set warmup=0     # only to see that it works
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?name a folder for the sessions}
shift
cargo build --quiet -p loadgen
loadgen=target/debug/loadgen

record() { # NAME SEED OPTION...
  local name=$1 seed=$2
  shift 2
  if [ -f "$folder/$name/duet.json" ]; then return; fi
  "$loadgen" duet --record --seed "$seed" -o "$folder/$name" "$@" >"$folder/$name.txt" && return
  if [ $? != 97 ]; then return 1; fi
  mkdir -p "$folder/invalid"
  mv "$folder/$name" "$folder/invalid/$name-$seed"
  "$loadgen" duet --record --seed $((seed + 1000)) -o "$folder/$name" "$@" >"$folder/$name.txt" || [ $? = 97 ]
}

mkdir -p "$folder"
# In turn, so that hours of the day meet all kinds alike.
for i in $(seq 1 "${AA:-12}"); do
  record "aa-$i" "$i" --aa "$@"
  if [ "$i" -le "${INJECTED:-10}" ]; then
    record "cpu10-$i" "$i" --inject cpu=10% "$@"
    record "cpu5-$i" "$i" --inject cpu=5% "$@"
  fi
done
"$loadgen" duet --evaluate "$folder" --evaluations "${EVALUATIONS:-300}" | tee "$folder/evaluation.txt"
