// Counts in SQL, with DuckDB on one thread, what the folds of a report count: kinds of services (analysis.Census), what each
// handshake drew from them (analysis.Responses), and hosts by the ephemeral probes that they acknowledged (analysis.AllPorts).
// node group.mjs MODULES DATASET
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [modules, dir] = process.argv.slice(2).map((p) => resolve(p));
const { DuckDBInstance } = createRequire(modules + '/')('@duckdb/node-api');
const db = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
const ask = async (sql) => (await db.runAndReadAll(sql)).getRowObjectsJson();

const refused = "('no_answer', 'unreachable', 'closed')";
const kinds = await ask(`SELECT port, state, CASE WHEN evidence IN ('likely', 'certain') THEN label ELSE '' END AS label, count(*)::INTEGER AS n
  FROM '${dir}/services.parquet' WHERE state NOT IN ${refused} GROUP BY ALL`);

// A handshake's bit; and of several labels the one of the best evidence.
await db.run(`CREATE TEMP TABLE services AS SELECT addr, port,
    bit_or(CASE WHEN visit = 'first' THEN bit ELSE 0 END) AS tried,
    bit_or(CASE WHEN visit = 'first' AND state = 'sends_data' THEN bit ELSE 0 END) AS sent,
    bit_or(CASE WHEN visit = 'first' AND state = 'sends_data' AND evidence IN ('likely', 'certain') THEN bit ELSE 0 END) AS identified,
    bool_or(state IN ('acks_data', 'sends_data')) AS acked,
    coalesce(arg_max(label, CASE evidence WHEN 'certain' THEN 2 ELSE 1 END) FILTER (state = 'sends_data' AND evidence IN ('likely', 'certain')), '') AS label,
    bool_or(state NOT IN ${refused}) AS connected
  FROM (SELECT *, 1 << CASE handshake WHEN 'wait' THEN 0 WHEN 'http' THEN 1 WHEN 'tls' THEN 2 WHEN 'ssh' THEN 3 WHEN 'redis' THEN 4 END AS bit
    FROM '${dir}/attempts.parquet' WHERE visit <> 'ephemeral')
  GROUP BY addr, port`);
const patterns = await ask(`SELECT port, label, tried, sent, identified, count(*)::INTEGER AS n FROM services WHERE connected GROUP BY ALL`);
const hosts = await ask(`WITH probed AS (SELECT addr, count(*) AS probes, min(attempt + 1) FILTER (state NOT IN ('acks_data', 'sends_data')) AS refused
    FROM '${dir}/attempts.parquet' WHERE visit = 'ephemeral' GROUP BY addr),
  silent AS (SELECT addr, count(*) AS services FROM services WHERE acked AND sent = 0 GROUP BY addr)
  SELECT coalesce(probes, 0) AS probes, coalesce(refused - 1, probes, 0) AS acked, count(probes)::INTEGER AS hosts, coalesce(sum(services), 0)::INTEGER AS services
  FROM probed FULL JOIN silent USING (addr) GROUP BY ALL`);

const sum = (list, of) => list.reduce((n, row) => n + row[of], 0);
console.log(JSON.stringify({
  kinds: kinds.length, patterns: patterns.length, services: sum(patterns, 'n'), probed_hosts: sum(hosts, 'hosts'), acks_only: sum(hosts, 'services'),
}));
