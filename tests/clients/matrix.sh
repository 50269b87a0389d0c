# The matrix of clients: each produces in every codec, reads in a group, commits and asks what an administrator
# asks; then the same after a `kill -9` of the broker, across which idempotent producers go on. Sourced by run.sh.

# The clients that are here, as lines of `NAME COMMAND...`, which is called with the phase and the broker.
matrix_clients() {
    local python=$installed/python/venv/bin/python go=$installed/go/matrix
    have go "franz-go and sarama" >&2 && printf '%s\n' "franz $go franz" "sarama $go sarama"
    have js kafkajs >&2 && echo "kafkajs node $here/matrix/kafkajs.js"
    have python "aiokafka, confluent-kafka and kafka-python" >&2 && printf '%s\n' \
        "aiokafka $python $here/matrix/aio.py" "confluent $python $here/matrix/confluent.py" \
        "kafka-python $python $here/matrix/kafka_python.py"
    have java "Kafka's Java clients and tools" >&2 && printf '%s\n' \
        "java $RUN_JAVA $here/matrix/Matrix.java" "tools $here/matrix/tools.sh"
    if has kcat; then echo "kcat $here/matrix/kcat.sh"; else echo "skipped: kcat (not installed)" >&2; fi
}

# begin PHASE: starts every client, each with what it says in a file of its own.
begin() {
    pids=()
    local client name command
    for client in "${clients[@]}"; do
        read -r name command <<<"$client"
        # shellcheck disable=SC2086 -- a command and its arguments
        timeout 300 $command "$1" "$broker" >"$data/$1-$name" 2>&1 &
        pids+=("$!")
    done
}

# finish PHASE: waits for all; says which have failed, and why.
finish() {
    local failed=0 index name
    for index in "${!clients[@]}"; do
        name=${clients[index]%% *}
        wait "${pids[index]}" && continue
        failed=1
        echo "matrix: $name fails in the phase $1:"
        tail -30 "$data/$1-$name"
    done
    return "$failed"
}

# read_across NAME [FLAGS]: what a client has written across the kill, a line each.
read_across() {
    "$klamm" console-consumer --bootstrap-server "$broker" --topic "across-$1" "${@:2}" 2>/dev/null
}

# Waits until each client has written 20 records more.
await_more() {
    local client name
    for client in "${clients[@]}"; do
        name=${client%% *}
        [ "$(read_across "$name" --partition 0 --offset latest --timeout-ms 60000 --max-messages 20 | wc -l)" = 20 ] &&
            continue
        echo "matrix: $name does not go on"
        return 1
    done
}

# Every number that was sent is there once, in its order.
check_across() {
    local client name sent
    for client in "${clients[@]}"; do
        name=${client%% *}
        sent=$(tail -1 "$data/across-$name")
        diff <(seq 0 $((sent - 1))) <(read_across "$name" --from-beginning --max-messages $((sent + 1)) --timeout-ms 2000) >"$data/difference" ||
            { echo "matrix: of $sent records of $name:"; head -20 "$data/difference"; return 1; }
        echo "matrix: $name wrote $sent records across the kill, each is there once"
    done
}

run_matrix() {
    mapfile -t clients < <(matrix_clients)
    [ "${#clients[@]}" -gt 0 ] || return 0
    export MATRIX_STOP=$data/stop KLAMM=$klamm
    begin first
    finish first || return 1
    echo "matrix: ${clients[*]%% *} produced, read, committed and administered"
    local client
    for client in "${clients[@]}"; do
        "$klamm" topics --create --topic "across-${client%% *}" --bootstrap-server "$broker" >/dev/null || return 1
    done
    begin across
    await_more && kill_and_restart_broker && await_more
    local went_on=$?
    touch "$MATRIX_STOP"
    finish across && [ "$went_on" = 0 ] && check_across || return 1
    begin second
    finish second || return 1
    echo "matrix: all groups went on where they had come"
}
