#!/bin/sh
# usage: stop.sh [SECONDS]
# Two jobs and a FIFO, as at a terminal: the job that writes is stopped, and later brought to the
# foreground.
seconds=${1:-0.5}
trap 'kill $writer $reader 2> /dev/null; kill -CONT $writer 2> /dev/null; rm -f pipe' EXIT
trap 'exit 1' HUP INT TERM
[ -t 0 ] && set -m # job control: each job is a process group of its own

rest() {
    [ "$seconds" = 0 ] || sleep "$seconds"
}

write_lines() {
    for number in 1 2 3; do
        echo "line $number"
        rest
    done
}

mkfifo pipe
write_lines > pipe &
writer=$!
cat pipe &
reader=$!

rest
kill -STOP $writer
[ -r "/.ipcviz/step/SIGSTOP is sent" ]
rest
if [ -t 0 ]; then
    jobs # Stopped
    [ -r "/.ipcviz/step/has asked" ]
    rest
    fg %1 # sends SIGCONT, gives the job the terminal, and waits for it
else
    rest
    kill -CONT $writer
fi
wait $writer $reader
trap - EXIT
rm pipe
