# Kafka's tools play the scripts of tests/vectors/tools, each on a new broker (record.sh). Sourced by run.sh.

run_goldens() {
    have java "the scripts of Kafka's tools" || return 0
    local script outcome=0
    for script in tests/vectors/tools/*.txt; do
        stop_broker
        start_broker
        "$here/record.sh" "$script" "$broker" "$klamm" "$RUN_JAVA" >"$data/recorded" || return 1
        if [ -n "${KLAMM_RECORD:-}" ]; then
            cp "$data/recorded" "$script"
        elif ! diff -u "$script" "$data/recorded"; then
            outcome=1
        fi
    done
    [ "$outcome" = 0 ] && echo "goldens: Kafka's tools say what the scripts have"
    return "$outcome"
}
