#!/bin/sh
# usage: send.sh SECONDS PROGRAM [ARGUMENT...]
# Starts a program and sends it three signals with kill.
seconds=$1
shift
trap 'exit 1' HUP TERM

rest() { [ "$seconds" = 0 ] || sleep "$seconds"; }

"$@" &
rest; kill -USR1 $!
rest; kill -INT $!
rest; kill -TERM $!
wait $!
echo "status $?: 128 and the signal's number"
