#!/bin/sh
# usage: runs.sh NAME HOW PROGRAM [ARGUMENT...]
# Two runs of the same program, one after the other. The first one crashes.
name=$1 how=$2
shift 2
trap 'rm -f "/dev/shm/sem.${name#/}"' EXIT      # the semaphore is a file there
trap 'exit 1' HUP INT TERM

"$@" "$name" crash "$how" &                     # two programs: all they share is the name
wait $!
echo "the first run has ended with status $?"
stat -c '%A %n' "/dev/shm/sem.${name#/}" &
wait $!

"$@" "$name" once "$how" &
wait $!
echo "the second run has ended with status $?"
