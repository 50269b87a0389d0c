# What a tool on the command line goes through, before a `kill -9` of the broker, across it and after it. Sourced by
# the scripts of the tools, which bring how each step is done:
#   create TOPIC PARTITIONS · produce TOPIC CODEC (values on its input) · consume TOPIC GROUP COUNT (values on its
#   output, committed) · admin TOPIC GROUP VALUES · finish TOPIC GROUP

. "$(dirname "$0")/../expect.sh"
readonly partitions=2 per_codec=20 news=10
readonly codecs="none gzip snappy lz4 zstd"

# values CODEC COUNT
values() { seq -f "$1-%g" 0 $(($2 - 1)); }

# Numbers, one at a time, until whoever started this says that it is enough.
until_stopped() {
    local number=0
    until [ -e "$MATRIX_STOP" ]; do
        echo "$number"
        number=$((number + 1))
        sleep 0.01
    done
    echo "$number" >"$MATRIX_STOP.$1"
}

# same WANTED READ: whether two texts have the same lines, in any order.
same() {
    diff <(sort <<<"$1") <(sort <<<"$2") && return
    echo "the lines differ"
    return 1
}

first() {
    local sent="" codec
    create "$1" $partitions || return 1
    for codec in $codecs; do
        values "$codec" $per_codec | produce "$1" "$codec" || return 1
        sent+=$(values "$codec" $per_codec)$'\n'
    done
    sent=${sent%$'\n'}
    same "$sent" "$(consume "$1" "$2" "$(wc -l <<<"$sent")")" || return 1
    admin "$1" "$2" "$(wc -l <<<"$sent")" || return 1
    values news $news | produce "$1" none
}

across() {
    until_stopped "$1" | produce "$1" lz4 || return 1
    cat "$MATRIX_STOP.$1"
}

second() {
    same "$(values news $news)" "$(consume "$1" "$2" $news)" || return 1
    finish "$1" "$2"
}

# run NAME PHASE BROKER
run() {
    local topic=matrix-$1
    [ "$2" = across ] && topic=across-$1
    "$2" "$topic" "$topic-group"
}
