// kafkajs through the matrix: before a kill -9 of the broker, across it and after it.
// Called as `kafkajs.js first|across|second BROKER`; exits with 1 and a reason where something is not as with Kafka.
const assert = require("node:assert");
const fs = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require("kafkajs");

CompressionCodecs[CompressionTypes.Snappy] = require("kafkajs-snappy");

const partitions = 2, perCodec = 20, news = 10, patienceMs = 240_000;
// Those that it has; the others need native code of third parties.
const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy };

function valuesOf(codec, count) {
  return [...Array(count).keys()].map((number) => ({ partition: number % partitions, value: `${codec}-${number}` }));
}

async function withClient(client, calls) {
  await client.connect();
  try {
    return await calls(client);
  } finally {
    await client.disconnect();
  }
}

// Its idempotent producer has one request in flight.
function withProducer(kafka, calls) {
  return withClient(kafka.producer({ idempotent: true, maxInFlightRequests: 1 }), calls);
}

async function consume(kafka, topic, groupId, enough) {
  const consumer = kafka.consumer({ groupId });
  const read = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachMessage = async ({ partition, message }) => {
      read.push({ partition, value: message.value.toString() });
      if (read.length >= enough) resolve();
    };
    consumer.run({ autoCommitThreshold: 1, eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return read;
}

async function assertCommitted(admin, topic, groupId, each) {
  const [{ partitions: offsets }] = await admin.fetchOffsets({ groupId, topics: [topic] });
  assert.deepStrictEqual(offsets.map(({ offset }) => offset), Array(partitions).fill(`${each}`));
}

const of = (records, wanted) => records.filter(({ partition }) => partition === wanted).map(({ value }) => value);

async function first(kafka, topic, groupId) {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
  const sent = [];
  await withProducer(kafka, async (producer) => {
    for (const [codec, compression] of Object.entries(codecs)) {
      const messages = valuesOf(codec, perCodec);
      await producer.send({ topic, compression, messages });
      sent.push(...messages);
    }
  });
  const read = await consume(kafka, topic, groupId, sent.length);
  for (let partition = 0; partition < partitions; partition++)
    assert.deepStrictEqual(of(read, partition), of(sent, partition));
  await assertCommitted(admin, topic, groupId, sent.length / partitions);
  assert((await admin.listTopics()).includes(topic));
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic };
  const configEntries = [{ name: "retention.ms", value: "1234567" }];
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
  const configs = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
  const retention = configs.resources[0].configEntries.find(({ configName }) => configName === "retention.ms");
  assert.strictEqual(retention.configValue, "1234567");
  assert((await admin.listGroups()).groups.some((group) => group.groupId === groupId));
  assert.strictEqual((await admin.describeGroups([groupId])).groups[0].state, "Empty");
  const ends = await admin.fetchTopicOffsets(topic);
  assert.deepStrictEqual(ends.map(({ high }) => high), Array(partitions).fill(`${sent.length / partitions}`));
  assert.strictEqual((await admin.describeCluster()).brokers.length, 1);
  const other = `${topic}-other`;
  await admin.createTopics({ topics: [{ topic: other, numPartitions: 1 }], waitForLeaders: true });
  await admin.createPartitions({ topicPartitions: [{ topic: other, count: 3 }] });
  await admin.deleteTopics({ topics: [other] });
  await admin.disconnect();
  await withProducer(kafka, (producer) => producer.send({ topic, messages: valuesOf("news", news) }));
}

async function across(kafka, topic) {
  await withProducer(kafka, async (producer) => {
    let sent = 0;
    while (!fs.existsSync(process.env.MATRIX_STOP)) {
      // One after another: it tries each call again by itself, and another would overtake it.
      const messages = [{ partition: 0, value: `${sent++}` }];
      await producer.send({ topic, compression: CompressionTypes.GZIP, messages });
      await sleep(5);
    }
    console.log(sent);
  });
}

async function second(kafka, topic, groupId) {
  const read = await consume(kafka, topic, groupId, news);
  const sorted = (records) => records.map(({ value }) => value).sort();
  assert.deepStrictEqual(sorted(read), sorted(valuesOf("news", news)));
  await withClient(kafka.admin(), async (admin) => {
    const each = (Object.keys(codecs).length * perCodec + news) / partitions;
    await assertCommitted(admin, topic, groupId, each);
    await admin.deleteGroups([groupId]);
    await admin.deleteTopics({ topics: [topic] });
  });
}

const [phase, broker] = process.argv.slice(2);
const topic = phase === "across" ? "across-kafkajs" : "matrix-kafkajs";
const fail = (error) => {
  console.error(error);
  process.exit(1);
};
setTimeout(() => fail(`${phase} takes too long`), patienceMs).unref();
const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
({ first, across, second })[phase](kafka, topic, `${topic}-group`).catch(fail);
