#!/bin/sh
# Analyses the design and runs the self-checking testbench on the recorded vectors. Needs GHDL (any back end).
# Exit status 0: every spike and membrane equals the reference model. Works in a temporary folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/*.txt "$work"
cd "$work"
rtl=$here/../rtl
ghdl -a --std=08 @RTL_FILES@ "$here/testbench.vhd"
# the code generating back ends want a separate elaboration; for the others it does nothing
ghdl -e --std=08 testbench
ghdl -r --std=08 testbench -gFOLDER=./ --ieee-asserts=disable --max-stack-alloc=0
cat result.txt
grep -q '^PASSED' result.txt
