#!/bin/sh
# usage: talk.sh [TIMES]
# An ordinary program: it runs without ipcviz too.
times=${1:-3}

speak() {
    n=0
    while [ $n -lt "$times" ]; do
        n=$((n + 1))
        # A marker: ipcviz sees that this path is asked for, and nothing else happens.
        [ -r "/.ipcviz/step/line $n" ]
        echo "this is line $n"
        sleep 0.5
    done
}

speak | cat
