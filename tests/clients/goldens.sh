# Kafka's tools play the scripts of tests/vectors/tools, each on a new broker (record.sh). Sourced by run.sh.

# Kafka's tools keep some lists of options in sets, which every JVM walks in an order of its own: sorted, they compare.
in_order() {
    awk 'match($0, /options: \[/) {
        count = split(substr($0, RSTART + 9), options, ", ")
        for (i = 2; i <= count; i++)
            for (j = i; j > 1 && options[j - 1] > options[j]; j--) {
                other = options[j]; options[j] = options[j - 1]; options[j - 1] = other
            }
        line = substr($0, 1, RSTART + 8) options[1]
        for (i = 2; i <= count; i++) line = line ", " options[i]
        $0 = line
    } { print }'
}

run_goldens() {
    have java "the scripts of Kafka's tools" || return 0
    local script outcome=0
    for script in tests/vectors/tools/*.txt; do
        stop_broker
        start_broker
        "$here/record.sh" "$script" "$broker" "$klamm" "$RUN_JAVA" >"$data/said" || return 1
        in_order <"$data/said" >"$data/recorded"
        if [ -n "${KLAMM_RECORD:-}" ]; then
            cp "$data/recorded" "$script"
        elif ! diff -u "$script" "$data/recorded"; then
            outcome=1
        fi
    done
    [ "$outcome" = 0 ] && echo "goldens: Kafka's tools say what the scripts have"
    return "$outcome"
}
