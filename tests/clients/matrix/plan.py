"""What every Python client goes through, before a `kill -9` of the broker, across it and after it.

A client brings how it does each step, as functions of its own module; `run` calls them. Called as
`CLIENT first|across|second BROKER`, it ends with an assertion where something is not as with Kafka.
"""

import faulthandler
import os
import sys

PARTITIONS, PER_CODEC, NEWS = 2, 20, 10
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PATIENCE_S = 240


def values_of(codec, count):
    """Values with the partitions that they go to."""
    return [(number % PARTITIONS, b"%s-%d" % (codec.encode(), number)) for number in range(count)]


def until_stopped():
    """Numbers without end, until whoever started this says that it is enough."""
    number = 0
    while not os.path.exists(os.environ["MATRIX_STOP"]):
        yield 0, b"%d" % number
        number += 1


def first(client, broker, topic, group):
    client.create_topic(broker, topic, PARTITIONS)
    sent = []
    for codec in CODECS:
        values = values_of(codec, PER_CODEC)
        client.produce(broker, topic, codec, values)
        sent += [value for _, value in values]
    read = client.consume(broker, topic, group, lambda read: len(read) >= len(sent))
    assert sorted(read) == sorted(sent), f"read {sorted(read)}"
    for partition in range(PARTITIONS):
        wanted = [value for value in sent if int(value.split(b"-")[1]) % PARTITIONS == partition]
        assert [value for value in read if value in wanted] == wanted, "out of order"
    each = len(sent) // PARTITIONS
    assert client.committed(broker, topic, group) == [each] * PARTITIONS
    client.admin(broker, topic, group)
    client.produce(broker, topic, "none", values_of("news", NEWS))


def across(client, broker, topic, _group):
    sent = client.produce(broker, topic, "lz4", until_stopped(), pace_s=0.005)
    print(sent)


def second(client, broker, topic, group):
    read = client.consume(broker, topic, group, lambda read: len(read) >= NEWS)
    assert sorted(read) == sorted(value for _, value in values_of("news", NEWS)), f"read {read}"
    each = (len(CODECS) * PER_CODEC + NEWS) // PARTITIONS
    assert client.committed(broker, topic, group) == [each] * PARTITIONS
    client.delete(broker, topic, group)


def run(name, client):
    faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
    phase, broker = sys.argv[1:]
    topic = f"across-{name}" if phase == "across" else f"matrix-{name}"
    {"first": first, "across": across, "second": second}[phase](client, broker, topic, f"{topic}-group")
