#!/bin/bash
# fuzz.sh: runs every fuzz target of the root module, one after the other, for FUZZTIME each (1m). By default, Go would
# spend up to a minute on making each new input shorter, which is most of the time.
set -euo pipefail
cd "$(dirname "$0")/.."

found=0
for package in $(grep -rl --include='*_test.go' '^func Fuzz' . --exclude-dir=.local | xargs -r -n1 dirname | sort -u); do
  # shellcheck disable=SC2013 # Go's names hold no spaces.
  for target in $(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$package"/*_test.go | cut -d' ' -f2); do
    found=$((found + 1))
    echo "== $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-1m}" -fuzzminimizetime 1s "$package"
  done
done
echo "$found fuzz targets ran"
