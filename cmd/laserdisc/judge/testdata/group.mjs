// Groups in SQL, with DuckDB on one thread, what the folds of a report count for the exhibits that BenchmarkReport's dataset has: each
// table below says for which. A table has what a share, an order or a curve is estimated from, and nothing is drawn or estimated. Of
// sums over hosts it has the distinct (services, hits) of a host and how many hosts have them, of which any moment can be made. What
// SQL has no words for is left out: what a page or a certificate says (analysis/content), which this dataset has no exhibit of.
// Printed is how many rows each table has and the CPU seconds that it took; with sum, too, what they add up to, as the folds tell it.
// node group.mjs MODULES DATASET [sum]
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [modules, dir] = process.argv.slice(2, 4).map((p) => resolve(p));
const sum = process.argv[4];
const { DuckDBInstance } = createRequire(modules + '/')('@duckdb/node-api');
const db = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
const ask = async (sql) => (await db.runAndReadAll(sql)).getRowObjectsJson();

const attempts = `'${dir}/attempts.parquet'`, found = `'${dir}/services.parquet'`;
const refused = "('no_answer', 'unreachable', 'closed')", acks = "('acks_data', 'sends_data')", sure = "evidence IN ('likely', 'certain')";
const handshakes = ['wait', 'http', 'tls', 'ssh', 'redis'];
const each = (of) => handshakes.map((name, i) => of(name, 1 << i)).join(', '); // of a handshake's name and bit
const tables = {};
const make = async (name, of, sql) => {
  const start = process.cpuUsage();
  await db.run(`CREATE TEMP TABLE ${name} AS ${sql}`);
  const { user, system } = process.cpuUsage(start);
  const [{ n }] = await ask(`SELECT count(*)::INTEGER AS n FROM ${name}`);
  tables[name] = { of, rows: n, seconds: (user + system) / 1e6 };
};
const count = async (sql) => (await ask(`SELECT (${sql})::DOUBLE AS n`))[0].n;

// The paper's ports: what is expected there, and whether it had a scanner for that.
await db.run(`CREATE TEMP TABLE ports AS SELECT port::USMALLINT AS port, protocol AS expected, scanner <> '-' AS assigned
  FROM read_csv('${fileURLToPath(new URL('../../../../datasets/paper/ports.tsv', import.meta.url))}', delim = '\t', header = true, all_varchar = true)`);

// analysis.Census, first, for there is a second pass after it.
await make('kinds', 'Figure 5, ranks of ports, unseen ports, ports: services by port, state, label', `
  SELECT port, state, CASE WHEN ${sure} THEN label ELSE '' END AS label, count(*)::INTEGER AS n
  FROM ${found} WHERE state NOT IN ${refused} GROUP BY ALL`);

// analysis.Curves: services of a protocol by port and by 16 groups of hosts.
await make('curves', 'Figure 9: services of a protocol by port and 16 groups of hosts', `
  SELECT label, port, hash(addr) % 16 AS part, count(*)::INTEGER AS n
  FROM ${found} WHERE state NOT IN ${refused} AND ${sure} GROUP BY ALL`);
await make('curve_hosts', 'the same: hosts by how many services of it they have', `
  SELECT label, n, count(*)::INTEGER AS hosts FROM (SELECT label, addr, count(*) AS n
    FROM ${found} WHERE state NOT IN ${refused} AND ${sure} GROUP BY ALL) GROUP BY ALL`);

// analysis.Inventory.
await make('inventory', 'ports predicted: the services of each host', `
  SELECT addr, any_value(asn) AS asn, list(port) AS ports, list(CASE WHEN ${sure} THEN label ELSE '' END) AS labels
  FROM ${found} WHERE state = 'sends_data' GROUP BY addr`);

// reports.byState and reports.byClass. The classes follow from the kinds, hence the second pass: no port of this dataset is popular.
const states = ['churned', 'shunned', 'zero_window', 'dropped_handshake', 'reset_after_handshake', 'closed_after_handshake', 'silent',
  'no_data_ack', 'dynamic_blocking', 'all_ports', 'acks_data', 'sends_data'];
await make('by_state', 'Figure 1: hosts by their services of each state', `
  SELECT * EXCLUDE addr, count(*)::INTEGER AS hosts
  FROM (SELECT addr, count(*) AS services, ${states.map((s) => `count_if(state = '${s}') AS ${s}`)}
    FROM ${found} WHERE state NOT IN ${refused} GROUP BY addr)
  GROUP BY ALL`);
const protocols = (await ask(`SELECT label FROM kinds LEFT JOIN ports USING (port) WHERE label NOT IN ('', coalesce(expected, ''))
  GROUP BY label ORDER BY sum(n) DESC LIMIT 7`)).map((row) => row.label);
await make('by_class', 'Figures 6 and 7, section 3.1: hosts by their services of each class of ports and of all, of each defence, outcome and unexpected protocol', `
  WITH seen AS (SELECT addr, state, CASE WHEN ${sure} THEN label ELSE '' END AS label, coalesce(expected, '') AS expected,
      CASE WHEN assigned THEN 'unpopular' ELSE 'other' END AS class
    FROM ${found} LEFT JOIN ports USING (port) WHERE state NOT IN ${refused}),
  hosts AS (SELECT addr, class, count(*) AS services,
      count_if(state IN ('shunned', 'zero_window', 'dropped_handshake', 'dynamic_blocking')) AS defends,
      count_if(state IN ('reset_after_handshake', 'closed_after_handshake')) AS resets,
      count_if(state IN ('churned', 'silent', 'no_data_ack')) AS left_over,
      count_if(label <> '' AND label = expected) AS expected,
      ${protocols.map((p) => `count_if(label = '${p}' AND label <> expected) AS ${p}`)},
      count_if(label NOT IN ('', expected)) AS unexpected,
      count_if(label = '' AND state IN ${acks}) AS unknown,
      count_if(label = '' AND state = 'all_ports') AS across
    FROM seen GROUP BY GROUPING SETS ((addr, class), (addr)))
  SELECT * EXCLUDE addr, count(*)::INTEGER AS hosts FROM hosts GROUP BY ALL`);

// analysis.Connections.
await make('connections', 'Figure 1: connections and repeated SYN-ACKs by state', `
  SELECT state, count(*) AS connections, sum(greatest(synacks::INTEGER - 1, 0)) AS repeated
  FROM ${attempts} WHERE visit IN ('first', 'again', 'fresh') AND state NOT IN ${refused} GROUP BY ALL`);

// What the other folds of attempts make of a service: a bit for each handshake; of several labels the one of the best evidence; what
// came of the first data that was sent, where it is sent again after a second. Who hangs up on everybody acknowledges nothing
// (docs/design.md).
await make('services', 'what follows: each service, by all of its attempts', `SELECT addr, port,
    bit_or(CASE WHEN visit = 'first' THEN bit ELSE 0 END) AS tried,
    bit_or(CASE WHEN visit = 'first' AND state = 'sends_data' THEN bit ELSE 0 END) AS sent,
    bit_or(CASE WHEN visit = 'first' AND identifies THEN bit ELSE 0 END) AS identified,
    bit_or(CASE WHEN visit = 'first' AND identifies AND (label = handshake OR handshake = 'wait' AND label IN ('ssh', 'ftp', 'smtp', 'mysql', 'pop3', 'imap', 'vnc', 'telnet'))
      THEN bit ELSE 0 END) AS own,
    bit_or(CASE WHEN visit = 'first' AND state = 'acks_data' THEN bit ELSE 0 END) AS acked_data,
    bool_or(state = 'sends_data') OR bool_or(state = 'acks_data' AND NOT hung_up)
      OR bool_or(state = 'acks_data') AND NOT bool_or(hung_up AND sent_bytes = 0) AS acked,
    coalesce(arg_max(label, CASE evidence WHEN 'certain' THEN 2 ELSE 1 END) FILTER (identifies), '') AS label,
    arg_min(CASE WHEN state NOT IN ${acks} THEN 'no' WHEN retransmits > 0 AND ack_time - synack_time >= INTERVAL 1 SECOND THEN 'again' ELSE 'once' END, attempt)
      FILTER (visit = 'first' AND sent_bytes > 0) AS first_data
  FROM (SELECT *, 1 << CASE handshake ${handshakes.map((name, i) => `WHEN '${name}' THEN ${i}`).join(' ')} END AS bit,
      state = 'sends_data' AND ${sure} AS identifies,
      (rst OR fin) AND data_time IS NULL AND end_time - synack_time < INTERVAL 1 SECOND AS hung_up
    FROM ${attempts} WHERE visit <> 'ephemeral')
  GROUP BY addr, port HAVING bool_or(state NOT IN ${refused})`);

// analysis.AllPorts.
await make('all_ports', 'all-ports hosts: hosts and silent services by ephemeral probes acknowledged', `
  WITH probed AS (SELECT addr, count(*) AS probes, min(attempt + 1) FILTER (state NOT IN ${acks}) AS refused
    FROM ${attempts} WHERE visit = 'ephemeral' GROUP BY addr),
  silent AS (SELECT addr, count(*) AS services FROM services WHERE acked AND sent = 0 GROUP BY addr)
  SELECT coalesce(probes, 0) AS probes, coalesce(refused - 1, probes, 0) AS acked, count(probes)::INTEGER AS hosts, coalesce(sum(services), 0)::INTEGER AS services
  FROM probed FULL JOIN silent USING (addr) GROUP BY ALL`);

// analysis.Trials, of all its countings: the lines of Figure 8 are sums of these, the other half of Table 2 is of ports that are not here.
await db.run(`CREATE TEMP TABLE firewalls AS SELECT addr FROM ${attempts} WHERE visit = 'ephemeral' GROUP BY addr HAVING bool_and(state IN ${acks})`);
await db.run(`CREATE TEMP VIEW trials AS SELECT services.*, label <> '' AND label = expected IS TRUE AS is_expected, assigned,
    hash(addr) AS host FROM services LEFT JOIN ports USING (port)
  WHERE acked AND (sent <> 0 OR addr NOT IN (FROM firewalls))`);
await make('outcomes', 'Figure 8: services by what each handshake came to, by tenths of the hosts', `
  SELECT port, is_expected, identified, sent, acked_data, host % 10 AS tenth, count(*) AS n FROM trials GROUP BY ALL`);
await make('resampled', 'the same: services by the handshakes that identify them and 1,024 groups of hosts, for the bootstrap', `
  SELECT port, is_expected, identified, host % 1024 AS part, count(*) AS n FROM trials GROUP BY ALL`);
await make('own_outcomes', 'Table 2 and its ranks: the same of unexpected services, by the handshakes of their own protocol', `
  SELECT port, own, sent, acked_data, host % 10 AS tenth, count(*) AS n FROM trials WHERE assigned AND NOT is_expected GROUP BY ALL`);
await make('own_resampled', 'the same, for the bootstrap', `
  SELECT port, own, host % 1024 AS part, count(*) AS n FROM trials WHERE assigned AND NOT is_expected GROUP BY ALL`);
await make('costs', 'both: packets, bytes and time by what each handshake came to', `
  SELECT port, is_expected, identified, own, sent, acked_data, handshake, sum(packets) AS packets, sum(bytes) AS bytes, sum(took) AS took
  FROM trials JOIN (SELECT addr, port, handshake,
      1 + retransmits + synacks + (data_time IS NOT NULL)::INTEGER + (NOT rst AND synack_time IS NOT NULL)::INTEGER AS packets,
      40 * packets + sent_bytes AS bytes, epoch_ns(end_time) - epoch_ns(coalesce(syn_time, synack_time)) AS took
    FROM ${attempts} WHERE visit = 'first') USING (addr, port)
  GROUP BY ALL`);

// analysis.Answers.
await make('answers', 'Figure 10: hosts by their services of each protocol that each handshake was tried on and drew data from', `
  SELECT * EXCLUDE addr, count(*)::INTEGER AS hosts
  FROM (SELECT addr, label, ${each((name, bit) => `count_if(tried & ${bit} <> 0) AS ${name}_tried, count_if(sent & ${bit} <> 0) AS ${name}_sent`)}
    FROM services WHERE label <> '' GROUP BY addr, label)
  GROUP BY ALL`);
await make('identifies', 'a single handshake: hosts by their identifiable services, those that each identifies, and those that acknowledged first data, or did once it was sent again', `
  SELECT * EXCLUDE addr, count(*)::INTEGER AS hosts
  FROM (SELECT addr, ${each((name, bit) => `count_if(identified <> 0 AND tried & ${bit} <> 0) AS ${name}_tried, count_if(identified & ${bit} <> 0) AS ${name}_identifies`)},
      count_if(first_data IN ('once', 'again')) AS acknowledges, count_if(first_data = 'again') AS again
    FROM services GROUP BY addr)
  GROUP BY ALL`);

// analysis.Contents, as far as banners and resets go.
await make('banners', 'Section 4.1: hosts by their services that spoke first, and those with a word of their protocol', `
  WITH banners AS (SELECT addr, port, lower(any_value(response::VARCHAR)) AS banner
    FROM ${attempts} WHERE handshake = 'wait' AND state = 'sends_data' AND visit IN ('first', 'again', 'fresh') GROUP BY addr, port)
  SELECT * EXCLUDE addr, count(*)::INTEGER AS hosts
  FROM (SELECT addr, label, count(*) AS services,
      count_if(CASE label WHEN 'ssh' THEN contains(banner, 'ssh') WHEN 'smtp' THEN contains(banner, 'smtp') WHEN 'vnc' THEN contains(banner, 'rfb')
        ELSE contains(banner, 'login') OR contains(banner, 'user') END) AS with_word
    FROM banners JOIN services USING (addr, port) WHERE label IN ('ssh', 'smtp', 'telnet', 'vnc') GROUP BY addr, label)
  GROUP BY ALL`);
await make('resets', 'the same: hosts by their services that reset a connection, and those that did so with the text of a BIG-IP', `
  WITH resets AS (SELECT addr, port, bool_or(reset_text::VARCHAR LIKE '%BIG-IP%') AS big_ip
    FROM ${attempts} WHERE rst AND visit IN ('first', 'again', 'fresh') GROUP BY addr, port)
  SELECT * EXCLUDE addr, count(*)::INTEGER AS hosts
  FROM (SELECT addr, count(*) AS services, count_if(big_ip) AS big_ips FROM resets JOIN services USING (addr, port) GROUP BY addr)
  GROUP BY ALL`);

const sums = sum !== 'sum' ? {} : {
  kinds: tables.kinds.rows,
  services: await count('SELECT count(*) FROM services'),
  probed_hosts: await count('SELECT sum(hosts) FROM all_ports'),
  acks_only: await count('SELECT sum(services) FROM all_ports'),
  connections: await count('SELECT sum(connections) FROM connections'),
  curve_ports: await count('SELECT count(*) FROM (SELECT DISTINCT label, port FROM curves)'),
  inventory_hosts: tables.inventory.rows,
  inventory_services: await count('SELECT sum(len(ports)) FROM inventory'),
  trials: await count('SELECT sum(n) FROM outcomes'),
  trial_outcomes: await count(`SELECT count(*) FROM (SELECT DISTINCT coalesce(expected, '-'), identified, sent, acked_data FROM outcomes LEFT JOIN ports USING (port))`),
  trial_packets: await count('SELECT sum(packets) FROM costs'),
  own_trials: await count('SELECT sum(n) FROM own_outcomes'),
  own_outcomes: await count('SELECT count(*) FROM (SELECT DISTINCT port, own, sent, acked_data FROM own_outcomes)'),
  tried: await count(`SELECT sum(hosts * (${handshakes.map((name) => `${name}_tried`).join(' + ')})) FROM answers`),
  drew: await count(`SELECT sum(hosts * (${handshakes.map((name) => `${name}_sent`).join(' + ')})) FROM answers`),
  identified: await count(`SELECT sum(hosts * (${handshakes.map((name) => `${name}_identifies`).join(' + ')})) FROM identifies`),
  acknowledge: await count('SELECT sum(hosts * acknowledges) FROM identifies'),
  banners: await count('SELECT sum(hosts * services) FROM banners'),
  banner_words: await count('SELECT sum(hosts * with_word) FROM banners'),
};
console.log(JSON.stringify({ tables, sums }));
