"""kafka-python consumers in one group: they share a topic, commit, and go on where the group has come.

Called with the broker's address; ends with an assertion when something is not as with Kafka.
"""

import faulthandler
import sys
import threading
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

TOPIC, GROUP, PARTITIONS, ROUNDS = "python", "python-group", 4, 25


def consumer(broker, **more):
    return KafkaConsumer(
        TOPIC,
        bootstrap_servers=broker,
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10000,
        heartbeat_interval_ms=500,
        **more,
    )


def until(what, members, seen, done):
    # Each member in a thread of its own: kafka-python goes on with a rebalance only while it is polled.
    over = threading.Event()

    def poll(member):
        while not over.is_set():
            for partition, records in member.poll(timeout_ms=1000).items():
                seen.extend((partition.partition, record.offset) for record in records)

    threads = [threading.Thread(target=poll, args=(member,)) for member in members]
    for thread in threads:
        thread.start()
    while not done() and all(thread.is_alive() for thread in threads):
        time.sleep(0.05)
    over.set()
    for thread in threads:
        thread.join()
    assert done(), what
    print("kafka-python:", what, flush=True)


def main(broker):
    faulthandler.dump_traceback_later(90, exit=True)
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    producer = KafkaProducer(bootstrap_servers=broker)

    def produce():
        for number in range(ROUNDS):
            for partition in range(PARTITIONS):
                producer.send(TOPIC, b"%d" % number, partition=partition)
        producer.flush()

    produce()
    seen = []
    first = consumer(broker)
    until("one member reads everything", [first], seen, lambda: len(seen) >= PARTITIONS * ROUNDS)
    first.commit()
    second = consumer(broker, group_instance_id="second")
    shares = lambda: len(first.assignment()) == len(second.assignment()) == PARTITIONS // 2
    until("two members share", [first, second], seen, shares)
    assert len(seen) == PARTITIONS * ROUNDS, "committed records came again"
    produce()
    until("both read what is new", [first, second], seen, lambda: len(seen) >= 2 * PARTITIONS * ROUNDS)
    assert len(set(seen)) == len(seen), "a record came twice"
    first.commit()
    second.commit()
    places = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
    assert [first.committed(place) for place in places] == [2 * ROUNDS] * PARTITIONS
    first.close()
    # A static member goes without a word; its place is kept for it.
    second.close()
    third = consumer(broker, group_instance_id="second")
    until("a static member comes back", [third], seen, lambda: len(third.assignment()) > 0)
    assert len(set(seen)) == len(seen), "a record came twice"
    third.close()
    admin.close()
    print("kafka-python: passed", flush=True)


main(sys.argv[1])
