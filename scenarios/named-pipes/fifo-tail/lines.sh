#!/bin/sh
# usage: lines.sh cat|tail|keep [SECONDS]
# Two lines come through one FIFO, each from a writer of its own. What ends its reader?
how=$1
seconds=${2:-0.5}
trap 'kill $reader $writer 2> /dev/null; rm -f log' EXIT
trap 'exit 1' HUP INT TERM

rest() {
    [ "$seconds" = 0 ] || sleep "$seconds"
}

mkfifo log
case $how in
tail) tail -f log & ;;
*) cat log & ;;
esac
reader=$!

if [ "$how" = keep ]; then
    exec 3> log # a write end that nobody writes to
    [ -r "/.ipcviz/step/a write end is kept" ]
fi

# The shell opens the FIFO for this line, and closes it behind it.
echo one > log
[ "$how" = cat ] && wait $reader

echo two > log &
writer=$!
rest
[ "$how" = cat ] && cat log # somebody has to read the second line
wait $writer

if [ "$how" = keep ]; then
    exec 3>&-
    wait $reader
elif [ "$how" = tail ]; then
    rest
    [ -r "/.ipcviz/step/tail is to end" ]
    kill $reader
    wait $reader
fi
trap - EXIT
exec rm log
