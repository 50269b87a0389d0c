#!/usr/bin/env bash
# kcat through the matrix: `kcat.sh first|across|second BROKER`.
set -u -o pipefail
readonly broker=$2
. "$(dirname "$0")/plan.sh"

# It has no call that makes a topic.
create() { "$KLAMM" topics --create --topic "$1" --partitions "$2" --bootstrap-server "$broker"; }

# Without -E it ends when its broker goes.
produce() {
    kcat -P -E -b "$broker" -t "$1" -z "$2" -X enable.idempotence=true -X linger.ms=5
}

consume() {
    timeout 90 kcat -G "$2" -b "$broker" -c "$3" -q -X auto.offset.reset=earliest "$1"
}

admin() {
    expect "topic \"$1\" with $partitions partitions" kcat -L -b "$broker" -t "$1" &&
        expect "^$1 \[0\] offset [1-9]" kcat -Q -b "$broker" -t "$1:0:-1" &&
        expect "^$1 \[1\] offset 0" kcat -Q -b "$broker" -t "$1:1:-2"
}

finish() { :; }

run kcat "$1"
