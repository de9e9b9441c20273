#!/bin/sh
# runs.sh TEXT yes|no PROGRAM...: one run writes, another reads, and if yes a third one removes
text=$1 remove=$2
shift 2
: > shmdemo.key
"$@" "$text"
"$@"
[ "$remove" = yes ] || exit 0 # the file stays, and with it the way to the segment
"$@" -r
exec rm shmdemo.key
