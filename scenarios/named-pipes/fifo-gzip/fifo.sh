#!/bin/sh
# usage: fifo.sh [KILOBYTES] [SECONDS]
# Compresses through a named pipe: two programs that are started apart meet at a name in the file system.
size=${1:-20000}
delay=${2:-1}
trap 'kill $gzip $cat 2> /dev/null; rm -f data pipe out.gz' EXIT
trap 'exit 1' HUP INT TERM

seq 100000000 $((99999999 + size * 100)) > data

mkfifo pipe

# gzip's input is opened before gzip is executed, and that open waits for somebody to open the other end.
gzip -c9 < pipe > out.gz &
gzip=$!

# Time to look: "ls -l" shows a p, and nothing has been read.
sleep "$delay"
ls -ln pipe

# The other end is opened: both sides go on.
cat data > pipe &
cat=$!

wait $cat
wait $gzip
echo "status of gzip: $?"

# Both have left, and the name is still there: a FIFO is a name until somebody removes it.
ls -ln pipe
rm pipe
gzip -dc out.gz | cmp - data && echo "the same bytes came out"
