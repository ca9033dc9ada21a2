#!/bin/sh
# numba will not start where it cannot write its cache. So that the image runs on a read-only file
# system, the kernels that were compiled with it are copied to where writing is allowed.
set -eu
mkdir -p "$NUMBA_CACHE_DIR"
cp -R "$DRIFTSTREAM_KERNELS/." "$NUMBA_CACHE_DIR"
exec driftstream "$@"
