# A broker for the clients' scripts, on free ports and a directory of its own; sourced, needs $klamm and $installed.

# Starts a broker, as $broker; what it says goes to $data/log.
start_broker() {
    data=$(mktemp -d "$installed/data.XXXXXX") || exit 1
    local try
    for try in 1 2 3 4 5; do
        port=$((12000 + RANDOM % 10000))
        broker=127.0.0.1:$port
        : >"$data/log"
        launch_broker && return
    done
    cat "$data/log"
    exit 1
}

launch_broker() {
    local before
    before=$(grep -c "ready in" "$data/log")
    "$klamm" start --override "listeners=PLAINTEXT://$broker" \
        --override "admin.listener=127.0.0.1:$((port + 1))" --override "log.dirs=$data/data" \
        --override group.initial.rebalance.delay.ms=0 >>"$data/log" 2>&1 &
    broker_pid=$!
    while kill -0 "$broker_pid" 2>/dev/null; do
        [ "$(grep -c "ready in" "$data/log")" -gt "$before" ] && return
        sleep 0.1
    done
    return 1
}

# `kill -9`, and a new process on the same data and port.
kill_and_restart_broker() {
    kill -9 "$broker_pid"
    wait "$broker_pid" 2>/dev/null
    launch_broker || { cat "$data/log"; exit 1; }
}

stop_broker() {
    kill "$broker_pid" 2>/dev/null && wait "$broker_pid" 2>/dev/null
    rm -rf "$data"
}
