#!/bin/sh
# usage: meet.sh reader|writer SECONDS PROGRAM...
# Starts PROGRAM twice, as from two terminals: the side that is named first, and later the other.
# It makes no pipe and passes no descriptor on.
first=$1
seconds=$2
shift 2
trap 'kill $one $two 2> /dev/null; rm -f meeting' EXIT
trap 'exit 1' HUP INT TERM

case $first in
reader) second=writer ;;
*) second=reader ;;
esac

"$@" "$first" &
one=$!
[ "$seconds" = 0 ] || sleep "$seconds"
"$@" "$second" &
two=$!
wait $one
wait $two
trap - EXIT # the reader has removed the name
