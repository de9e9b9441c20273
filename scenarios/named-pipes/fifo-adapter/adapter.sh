#!/bin/sh
# usage: adapter.sh fifo|file LINES PROGRAM...
# PROGRAM wants a file's name, and the data are compressed: a FIFO stands for the file.
how=$1
lines=$2
shift 2
trap 'kill $feeder 2> /dev/null; rm -f data.gz feed copy' EXIT
trap 'exit 1' HUP INT TERM

seq -w "$lines" | gzip > data.gz
mkfifo feed

# What reads from the beginning to the end can't tell the difference.
gzip -dc data.gz > feed &
feeder=$!
"$@" count feed
wait $feeder

[ -r "/.ipcviz/step/and now one that seeks" ]
if [ "$how" = fifo ]; then
    gzip -dc data.gz > feed &
    feeder=$!
    "$@" last feed
    wait $feeder
    echo "status of gzip: $?" # 128 and the number of SIGPIPE
else
    gzip -dc data.gz > copy # what seeks needs a file
    "$@" last copy
    rm copy
fi
trap - EXIT
exec rm feed data.gz
