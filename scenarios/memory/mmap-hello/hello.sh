#!/bin/sh
# hello.sh FOLDER ROUNDS DELAY SIZED [PYTHON]: two programs that share nothing but the name of a file
folder=$1 rounds=$2 delay=$3 sized=$4 python=${5-}
suffix=${python:+.py}
trap 'rm -f shared.dat' EXIT
${python:+"$python"} "$folder/producer$suffix" "$rounds" "$delay" "$sized" &
if [ "$sized" = yes ]; then
    ${python:+"$python"} "$folder/consumer$suffix" "$rounds" "$delay" &
    wait
else
    wait $!
    echo "the producer ended with status $? (128 and the signal's number)"
fi
