#!/usr/bin/env bash
# What rust-analyzer shows inside the macros: hover, completion, go to definition and rename, at the places of
# `editor/places.rs.txt`, through the crates of rust-analyzer itself.
#
#     benches/editor.sh [words]        the places whose title contains the words, with all answers in full
#
# It needs `rustup component add rust-src rust-analyzer`. The first run builds rust-analyzer (about ten minutes on two
# cores); a later one takes half a minute. The table has `yes` where the answer is the expected one.
set -euo pipefail

cd "$(dirname "$0")/editor"
cargo run --quiet -- "$@"
