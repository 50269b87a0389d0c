// Two kafkajs consumers in one group: they share a topic, read it once, commit, and one takes over.
// Called with the broker's address; exits with 1 and a reason when something is not as with Kafka.
const { Kafka, logLevel } = require("kafkajs");

const topic = "js";
const groupId = "js-group";
const partitions = 4;
const rounds = 25;

function fail(reason) {
  console.error(`kafkajs: ${reason}`);
  process.exit(1);
}

setTimeout(() => fail("it takes longer than a minute"), 60_000).unref();

async function until(what, done) {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(`kafkajs: ${what}`);
}

async function main(broker) {
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
  const seen = new Map();
  const owned = new Map();
  const join = async (name) => {
    const consumer = kafka.consumer({ groupId, sessionTimeout: 10_000, heartbeatInterval: 500 });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
      owned.set(name, payload.memberAssignment[topic] || []));
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommitThreshold: 1,
      eachMessage: async ({ partition, message }) => {
        const place = `${partition}/${message.offset}`;
        seen.set(place, (seen.get(place) || 0) + 1);
      },
    });
    return consumer;
  };
  const first = await join("first");
  await until("one member has everything", () => (owned.get("first") || []).length === partitions);
  const second = await join("second");
  await until("two members share", () =>
    ["first", "second"].every((name) => (owned.get(name) || []).length === partitions / 2));
  const producer = kafka.producer();
  await producer.connect();
  for (let round = 0; round < rounds; round++) {
    const messages = [...Array(partitions).keys()].map((partition) => ({ partition, value: `${round}` }));
    await producer.send({ topic, messages });
  }
  await until("every message is read", () => seen.size === partitions * rounds);
  if ([...seen.values()].some((count) => count !== 1)) fail("a message was read twice");
  const described = await admin.describeGroups([groupId]);
  const { state, members } = described.groups[0];
  if (state !== "Stable" || members.length !== 2) fail(`described as ${state} of ${members.length}`);
  await second.disconnect();
  await until("one takes over", () => (owned.get("first") || []).length === partitions);
  await first.disconnect();
  const [{ partitions: offsets }] = await admin.fetchOffsets({ groupId, topics: [topic] });
  if (offsets.some(({ offset }) => offset !== `${rounds}`)) fail(`committed ${JSON.stringify(offsets)}`);
  await admin.resetOffsets({ groupId, topic, earliest: true });
  const third = await join("third");
  await until("all is read again", () => [...seen.values()].every((count) => count === 2));
  await third.disconnect();
  await admin.deleteGroups([groupId]);
  const { groups } = await admin.listGroups();
  if (groups.some((group) => group.groupId === groupId)) fail("a deleted group is listed");
  await producer.disconnect();
  await admin.disconnect();
  console.log("kafkajs: passed");
}

main(process.argv[2]).catch((error) => fail(error.stack));
