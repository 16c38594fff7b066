#!/usr/bin/env bash
# What rust-analyzer shows inside the macros: hover, completion, go to definition and rename, at the places of
# `editor/places.rs.txt`, through the crates of rust-analyzer itself.
#
#     benches/editor.sh [words]        the places whose title contains the words, with all answers in full
#
# A cell is `yes` where the answer is the expected one. It fails if rust-analyzer itself reports an error at a place.
#
# It needs the sources of the standard library: the path of their folder `library` in RUST_SRC, or the component
# rust-src. With the component, rustc shows these sources in messages that `ui-tests` compares. The first run builds
# rust-analyzer (about ten minutes on two cores); a later one takes half a minute.
set -euo pipefail

cd "$(dirname "$0")/editor"
cargo run --quiet -- "$@"
