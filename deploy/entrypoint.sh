#!/bin/sh
# So that the image runs on a read-only file system, the kernels that were compiled with it are copied
# to where writing is allowed. Without them a start takes longer, and nothing else is lost.
set -u
{ mkdir -p "$NUMBA_CACHE_DIR" && cp -R "$DRIFTSTREAM_KERNELS/." "$NUMBA_CACHE_DIR"; } ||
    echo "driftstream: kernels not copied to $NUMBA_CACHE_DIR: compiled anew, some 30 s of CPU" >&2
exec driftstream "$@"
