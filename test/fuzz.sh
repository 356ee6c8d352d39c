#!/usr/bin/env bash
# Runs every fuzz target for a while each, two at a time: test/fuzz.sh 30s
# An input that fails is kept in the package's testdata/fuzz, to be replayed by
# every later test run; what only widens coverage is kept in the cache.
set -euo pipefail
cd "$(dirname "$0")/.."
export for="${1:-30s}" work cache
work=$(mktemp -d)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/wardseal/fuzz"
trap 'rm -rf "$work"' EXIT

one() { # one PACKAGE TARGET
  local dir=$1 target=$2 log
  log="$work/$target-$(tr / _ <<<"$dir").log"
  mkdir -p "$cache/$dir"
  local status=0
  (cd "$dir" && "$work/$(tr / _ <<<"$dir").test" -test.run "^$target\$" -test.fuzz "^$target\$" -test.fuzztime "$for" \
    -test.fuzzcachedir "$cache/$dir" -test.fuzzminimizetime 20x -test.parallel 1 -test.timeout 20m) >"$log" 2>&1 || status=$?
  # The Go fuzzer now and then calls its own end of time a failure; a real one
  # is written down.
  if ((status)) && grep -q '^    context deadline exceeded$' "$log" && ! grep -qE 'Failing input written|panic:|_test.go:|hung or terminated' "$log"; then
    status=0
  fi
  if ((status == 0)); then
    echo "ok   $dir $target: $(grep -o 'execs: [0-9]*' "$log" | tail -1)"
  else
    echo "FAIL $dir $target"; cat "$log"; return 1
  fi
}
export -f one

targets=()
while read -r dir; do
  go test -c -fuzz . -o "$work/$(tr / _ <<<"$dir").test" "./$dir" >/dev/null
  while read -r target; do targets+=("$dir $target"); done < <(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$dir"/*_test.go)
done < <(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | sed 's|^\./||')
((${#targets[@]})) || { echo "test/fuzz.sh: there is no fuzz target" >&2; exit 1; }
printf '%s\n' "${targets[@]}" | xargs -P 2 -L 1 bash -c 'one "$0" "$1"'
echo "${#targets[@]} fuzz targets, $for each"
