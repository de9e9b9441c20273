#!/bin/sh
# A PostgreSQL server of its own, in a folder that is made for it, and two clients: one has a row
# that the other one waits for. `sh postgres.sh FOLDER` runs in the server's place.
set -eu
folder=$1
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
as=
if [ "$(id -u)" = 0 ]; then
    as="setpriv --reuid=65534 --regid=65534 --clear-groups"
fi
mkdir -p "$folder"
chmod 777 "$folder"
$as "$bin/initdb" -D "$folder/data" -U demo --no-sync >"$folder/log"
clients() {
    until "$bin/psql" -q -h "$folder" -U demo postgres -c 'create table account (id int, sum int);
        insert into account values (1, 100);'; do
        sleep 0.1
    done
    for client in 1 2; do
        setsid "$bin/psql" -q -h "$folder" -U demo postgres \
            -c "begin; update account set sum = sum + $client; select pg_sleep(600);" &
        sleep 0.5
    done
    : >"$folder/ready"
}
(clients >"$folder/clients" 2>&1 &)
exec $as "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= >>"$folder/log" 2>&1
