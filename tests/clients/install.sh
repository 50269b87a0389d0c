# Clients from their registries into $installed, once; sourced. What cannot be had is said in a line of
# $installed/KIND/skipped, and those who need it are skipped.

readonly kafkajs_version=2.2.4 kafkajs_snappy_version=1.1.0
readonly python_packages="kafka-python==3.0.12 aiokafka==0.14.0 confluent-kafka==2.16.1 cramjam==2.14.0
    python-snappy==0.7.3 lz4==4.4.5 zstandard==0.25.0"
readonly kafka_version=4.3.0 prometheus_client_version=0.22.1

has() { command -v "$1" >/dev/null 2>&1; }

# install KIND VERSIONS COMMAND...: runs a step unless it was done for these versions.
install() {
    local directory=$installed/$1 versions=$2
    [ -e "$directory/ready" ] && [ "$(cat "$directory/ready")" = "$versions" ] && return
    mkdir -p "$directory"
    rm -f "$directory/ready" "$directory/skipped"
    if "${@:3}" "$directory" >"$directory/install.log" 2>&1; then
        echo "$versions" >"$directory/ready"
    else
        tail -1 "$directory/install.log" >"$directory/skipped"
    fi
}

in_js() {
    has node && has npm || { echo "no node and npm"; return 1; }
    npm install --silent --no-fund --no-audit --prefix "$1" "kafkajs@$kafkajs_version" \
        "kafkajs-snappy@$kafkajs_snappy_version" || { echo "npm cannot install kafkajs"; return 1; }
}

in_python() {
    has python3 || { echo "no python3"; return 1; }
    # shellcheck disable=SC2086 -- a list of packages
    python3 -m venv "$1/venv" && "$1/venv/bin/pip" install -q $python_packages ||
        { echo "pip cannot install the clients"; return 1; }
}

# Kafka's tools with the clients of the same version.
in_java() {
    has java && has mvn || { echo "no java and mvn"; return 1; }
    local dependency='<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n'
    {
        echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        echo '<groupId>clients</groupId><artifactId>clients</artifactId><version>1</version><dependencies>'
        # shellcheck disable=SC2059 -- one form for each
        printf "$dependency" org.apache.kafka kafka-tools "$kafka_version" org.apache.kafka kafka_2.13 \
            "$kafka_version" org.slf4j slf4j-simple 1.7.36
        echo '</dependencies></project>'
    } >"$1/pom.xml"
    (cd "$1" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=libs -DincludeScope=runtime) ||
        { echo "mvn cannot install Kafka's jars"; return 1; }
}

in_go() {
    has go || { echo "no go"; return 1; }
    (cd "$here/matrix/go" && go build -o "$1/matrix" .) || { echo "go cannot build its clients"; return 1; }
}

# The parser of Prometheus' own client.
in_prometheus() {
    has python3 || { echo "no python3"; return 1; }
    python3 -m venv "$1/venv" && "$1/venv/bin/pip" install -q "prometheus-client==$prometheus_client_version" ||
        { echo "pip cannot install prometheus-client"; return 1; }
}

# All kinds at once: most of it is waiting.
install_all() {
    install js "$kafkajs_version $kafkajs_snappy_version" in_js &
    install python "$python_packages" in_python &
    install java "$kafka_version" in_java &
    install go "$(cat "$here"/matrix/go/*)" in_go &
    install prometheus "$prometheus_client_version" in_prometheus &
    wait
}

# Whether a kind is here; a line says so where it is not.
have() {
    [ -e "$installed/$1/ready" ] && return
    echo "skipped: $2 ($(cat "$installed/$1/skipped"))"
    return 1
}
