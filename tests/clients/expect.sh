# expect PATTERN COMMAND...: runs a tool and looks for a pattern in what it says. Sourced.
expect() {
    local pattern=$1 said
    shift
    said=$("$@" 2>&1)
    if ! grep -Eq -- "$pattern" <<<"$said"; then
        printf '%s\nis to say %s and says\n%s\n' "$*" "$pattern" "$said"
        return 1
    fi
    echo "${*:2} says $pattern"
}
