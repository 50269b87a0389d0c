"""aiokafka through the matrix."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

import plan


def with_admin(broker, calls):
    async def run():
        client = AIOKafkaAdminClient(bootstrap_servers=broker)
        await client.start()
        try:
            return await calls(client)
        finally:
            await client.close()

    return asyncio.run(run())


def create_topic(broker, topic, partitions):
    with_admin(broker, lambda client: client.create_topics([NewTopic(topic, partitions, 1)]))


def produce(broker, topic, codec, values, pace_s=0):
    async def run():
        producer = AIOKafkaProducer(
            bootstrap_servers=broker,
            enable_idempotence=True,
            compression_type=None if codec == "none" else codec,
            linger_ms=5,
        )
        await producer.start()
        sent = []
        for partition, value in values:
            sent.append(await producer.send(topic, value, partition=partition))
            await asyncio.sleep(pace_s)
        await producer.flush()
        await asyncio.gather(*sent)
        await producer.stop()
        return len(sent)

    return asyncio.run(run())


def consume(broker, topic, group, done):
    async def run():
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=broker,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        read = []
        while not done(read):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                read.extend(record.value for record in records)
        await consumer.commit()
        await consumer.stop()
        return read

    return asyncio.run(run())


def committed(broker, topic, group):
    async def calls(client):
        found = await client.list_consumer_group_offsets(group)
        return [found[TopicPartition(topic, p)].offset for p in range(plan.PARTITIONS)]

    return with_admin(broker, calls)


def admin(broker, topic, group):
    async def calls(client):
        assert topic in await client.list_topics()
        (described,) = await client.describe_topics([topic])
        assert len(described["partitions"]) == plan.PARTITIONS, described
        change = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "1234567"})
        await client.alter_configs([change])
        configs = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        assert "1234567" in str(configs), configs
        assert group in [one[0] for one in await client.list_consumer_groups()]
        assert "Empty" in str(await client.describe_consumer_groups([group]))
        assert len((await client.describe_cluster())["brokers"]) == 1
        other = f"{topic}-other"
        await client.create_topics([NewTopic(other, 1, 1)])
        await client.create_partitions({other: NewPartitions(3)})
        await client.delete_topics([other])

    with_admin(broker, calls)


def delete(broker, topic, group):
    # It has no call that deletes a group.
    with_admin(broker, lambda client: client.delete_topics([topic]))


plan.run("aiokafka", sys.modules[__name__])
