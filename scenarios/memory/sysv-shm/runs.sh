#!/bin/sh
# runs.sh TEXT yes|no PROGRAM...: one run writes, another reads, and if yes a third one removes
text=$1 remove=$2
shift 2
: > shmdemo.key
"$@" "$text"
"$@"
[ "$remove" = no ] && exit   # the key's file stays, so that somebody can still find the segment
"$@" -r
exec rm shmdemo.key
