#!/bin/sh
# usage: spool.sh straight|rename yes|no (is the daemon killed half-way?) PAUSE
# A print spool, in the folder where we are: a job is a data file (df1) and a control file (cf1)
# that says what to print.
how=$1 crash=$2 pause=$3

submit_job() {
    echo "Dear Anna, ..." > df1
    # With a rename it comes to its name, and so to the daemon's eyes, when it is complete.
    case $how in rename) name=tf1 ;; *) name=cf1 ;; esac
    {
        echo "user anna"
        [ "$pause" = 0 ] || sleep "$pause"
        echo "print df1"
    } > $name
    [ $name = cf1 ] || mv tf1 cf1
}

print_jobs() {
    until [ -e cf1 ]; do sleep "$pause"; done # df and tf are no jobs yet
    exec 3< cf1
    # Each line that is there now is said; a line "print FILE" has that file printed.
    awk '{ print "daemon: cf1 says", $0 }
        $1 == "print" { while ((getline line < $2) > 0) print line }' <&3
    [ "$crash" = no ] || sh -c 'kill -KILL $PPID'
    rm cf1 df1 # only now: what is not finished is there for the next daemon
}

submit_job & client=$!
print_jobs & daemon=$!
wait $client
if ! wait $daemon; then
    echo "the daemon was killed, and is started again"
    crash=no
    print_jobs & wait $!
fi
