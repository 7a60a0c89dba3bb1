// Reads with DuckDB, hyparquet and parquet-wasm (into apache-arrow) the datasets that TestJudge wrote, of one part and of
// many: schema, repetitions, counts, nulls, distinct values, least, greatest, sums and statistics of every column must be as
// Go summed them up. `make readers` runs it.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const [modules, dir] = process.argv.slice(2).map((p) => resolve(p));
const require = createRequire(modules + '/');
const { DuckDBInstance, version } = require('@duckdb/node-api');
const load = (name) => import(require.resolve(name));
const hyparquet = await load('hyparquet');
const { compressors } = await load('hyparquet-compressors');
const arrow = require('apache-arrow');
const wasm = await load('parquet-wasm/node');

// Each type of docs/tables.md: how Parquet has it (physical type, repetition, annotation), how DuckDB and Arrow call it.
const types = {
  bool: { parquet: 'BOOLEAN REQUIRED', duckdb: 'BOOLEAN', arrow: 'Bool' },
  uint16: { parquet: 'INT32 REQUIRED UINT_16', duckdb: 'USMALLINT', arrow: 'Uint16', number: true },
  uint32: { parquet: 'INT32 REQUIRED UINT_32', duckdb: 'UINTEGER', arrow: 'Uint32', number: true },
  'int32, nullable': { parquet: 'INT32 OPTIONAL INT_32', duckdb: 'INTEGER', arrow: 'Int32', number: true },
  'int64, nullable': { parquet: 'INT64 OPTIONAL INT_64', duckdb: 'BIGINT', arrow: 'Int64', number: true },
  'timestamp[ns] UTC, nullable': { parquet: 'INT64 OPTIONAL TIMESTAMP', duckdb: 'TIMESTAMP_NS', arrow: 'Timestamp<NANOSECOND>', number: true },
  utf8: { parquet: 'BYTE_ARRAY REQUIRED UTF8', duckdb: 'VARCHAR', arrow: 'Utf8', text: true },
  binary: { parquet: 'BYTE_ARRAY REQUIRED', duckdb: 'BLOB', arrow: 'Binary' },
  'list<utf8>': { parquet: 'undefined REQUIRED LIST', duckdb: 'VARCHAR[]', arrow: 'List<Utf8>', list: true },
};

let cells = 0;
const fail = (text) => {
  console.error('FAIL:', text);
  process.exit(1);
};
const same = (where, got, want) => {
  for (const key of Object.keys(want)) {
    if (String(got[key]) !== String(want[key])) fail(`${where}: ${key} is ${got[key]}, not ${want[key]}`);
  }
  cells++;
};

// summary is what TestJudge writes of a column, of its values in JavaScript.
function summary(type, values) {
  const { number, text, list } = types[type];
  let absent = 0, sum = 0n, least, most;
  const distinct = new Set();
  const compare = (v) => {
    if (least === undefined || v < least) least = v;
    if (most === undefined || v > most) most = v;
  };
  for (const v of values) {
    if (number) {
      if (v === null || v === undefined) { absent++; continue; }
      const n = BigInt(v);
      sum += n; distinct.add(n); compare(n);
    } else if (list) {
      const elements = [...v];
      if (elements.length === 0) absent++;
      for (const e of elements) { sum++; distinct.add(e); compare(e); }
    } else if (type === 'bool') {
      if (v) sum++;
      distinct.add(v);
    } else {
      const bytes = text ? Buffer.from(v, 'utf8') : Buffer.from(v);
      if (bytes.length === 0) absent++;
      sum += BigInt(bytes.length);
      distinct.add(text ? v : bytes.toString('latin1'));
      if (text) compare(v);
    }
  }
  return { absent, distinct: distinct.size, least: least ?? '', most: most ?? '', sum };
}

async function duckdb(table, columns, parts) {
  const db = await (await DuckDBInstance.create(':memory:')).connect();
  const ask = async (sql) => (await db.runAndReadAll(sql)).getRowObjectsJson();
  const from = `read_parquet([${parts.map((p) => `'${p}'`)}])`;
  const described = await ask(`DESCRIBE FROM ${from}`);
  if (described.length !== columns.length) fail(`DuckDB: ${table} has ${described.length} columns, not ${columns.length}`);
  for (const [i, c] of columns.entries()) {
    const where = `DuckDB: ${table}.${c.name}`, t = types[c.type], n = `"${c.name}"`;
    same(where, { name: described[i].column_name, type: described[i].column_type }, { name: c.name, type: t.duckdb });
    const v = t.duckdb === 'TIMESTAMP_NS' ? `epoch_ns(${n})` : n;
    let sql;
    if (t.number) sql = `count(*) - count(${n}) absent, count(DISTINCT ${n}) "distinct", min(${v}) least, max(${v}) most, sum(${v}::HUGEINT) sum FROM ${from}`;
    else if (t.list) sql = `(SELECT count(*) FILTER (len(${n}) = 0) FROM ${from}) absent, count(DISTINCT e) "distinct", min(e) least, max(e) most, count(*) sum FROM (SELECT unnest(${n}) e FROM ${from})`;
    else if (c.type === 'bool') sql = `0 absent, count(DISTINCT ${n}) "distinct", '' least, '' most, count(*) FILTER (${n}) sum FROM ${from}`;
    else if (t.text) sql = `count(*) FILTER (${n} = '') absent, count(DISTINCT ${n}) "distinct", min(${n}) least, max(${n}) most, sum(strlen(${n})) sum FROM ${from}`;
    else sql = `count(*) FILTER (octet_length(${n}) = 0) absent, count(DISTINCT ${n}) "distinct", '' least, '' most, sum(octet_length(${n})) sum FROM ${from}`;
    const [found] = await ask(`SELECT absent::VARCHAR absent, "distinct"::VARCHAR "distinct", coalesce(least::VARCHAR, '') least, coalesce(most::VARCHAR, '') most, coalesce(sum::VARCHAR, '0') sum FROM (SELECT ${sql})`);
    same(where, found, { absent: c.absent, distinct: c.distinct, least: c.least, most: c.most, sum: c.sum });
    // A reader skips row groups by their statistics: each must be that of its rows.
    const [statistics] = await ask(`SELECT count(stats_min_value) least, sum(stats_null_count)::VARCHAR absent
      FROM parquet_metadata([${parts.map((p) => `'${p}'`)}]) WHERE path_in_schema = '${c.name}'`);
    if (t.number && statistics.absent !== c.absent) fail(`${where}: the statistics count ${statistics.absent} nulls`);
    if (t.number || Number(statistics.least) > 0) {
      const cast = t.number ? 'BIGINT' : 'VARCHAR';
      const bound = t.duckdb === 'TIMESTAMP_NS' ? (b) => `epoch_ns(${b}::TIMESTAMP_NS)` : (b) => `${b}::${cast}`;
      for (const part of parts) {
        const wrong = await ask(`WITH rows AS (SELECT ${v} v, file_row_number r FROM read_parquet('${part}', file_row_number = true) WHERE ${n} IS NOT NULL),
          row_groups AS (SELECT stats_min_value least, stats_max_value most, coalesce(sum(row_group_num_rows) OVER (ORDER BY row_group_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS since,
            row_group_num_rows n FROM parquet_metadata('${part}') WHERE path_in_schema = '${c.name}')
          SELECT * FROM (SELECT since, ${bound('any_value(least)')} least, ${bound('any_value(most)')} most, min(v) a, max(v) b FROM row_groups LEFT JOIN rows ON r >= since AND r < since + n GROUP BY since)
          WHERE least IS DISTINCT FROM a OR most IS DISTINCT FROM b`);
        if (wrong.length > 0) fail(`${where}: statistics of ${part} are wrong: ${JSON.stringify(wrong)}`);
      }
    }
  }
  const [{ n }] = await ask(`SELECT count(*)::INTEGER n FROM ${from}`);
  return n;
}

async function hyparquetReads(table, columns, parts) {
  const values = new Map(columns.map((c) => [c.name, []]));
  let rows = 0;
  for (const part of parts) {
    const bytes = readFileSync(part);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const metadata = hyparquet.parquetMetadata(file);
    const [root, ...elements] = metadata.schema;
    if (root.repetition_type !== 'REQUIRED') fail(`${part}: the root is ${root.repetition_type}`);
    const top = [];
    for (let i = 0; i < elements.length; i++) {
      top.push(elements[i]);
      if (elements[i].num_children) i += 2; // a list's group and element
    }
    if (top.length !== columns.length) fail(`${part}: ${top.length} columns`);
    columns.forEach((c, i) => {
      const e = top[i];
      const annotation = e.converted_type && !/TIME/.test(e.converted_type) ? e.converted_type : e.logical_type?.type ?? '';
      same(`hyparquet: ${table}.${c.name}`, { name: e.name, parquet: `${e.type} ${e.repetition_type} ${annotation}`.trim() }, { name: c.name, parquet: types[c.type].parquet });
    });
    rows += Number(metadata.num_rows);
    const utf8 = false;
    await hyparquet.parquetRead({
      file, compressors, utf8, parsers: { ...hyparquet.DEFAULT_PARSERS, timestampFromNanoseconds: (n) => n },
      onChunk: ({ columnName, columnData }) => { for (const v of columnData) values.get(columnName).push(v); },
    });
  }
  for (const c of columns) {
    if (values.get(c.name).length !== rows) fail(`hyparquet: ${table}.${c.name} has ${values.get(c.name).length} rows, not ${rows}`);
    same(`hyparquet: ${table}.${c.name}`, summary(c.type, values.get(c.name)), { absent: c.absent, distinct: c.distinct, least: c.least, most: c.most, sum: c.sum });
  }
  return rows;
}

async function arrowReads(table, columns, parts) {
  let whole;
  for (const part of parts) {
    const read = arrow.tableFromIPC(wasm.readParquet(readFileSync(part)).intoIPCStream());
    whole = whole ? whole.concat(read) : read;
  }
  if (whole.schema.fields.length !== columns.length) fail(`apache-arrow: ${table} has ${whole.schema.fields.length} columns`);
  columns.forEach((c, i) => {
    const f = whole.schema.fields[i];
    same(`apache-arrow: ${table}.${c.name}`, { name: f.name, type: String(f.type), nullable: f.nullable },
      { name: c.name, type: types[c.type].arrow, nullable: c.type.endsWith('nullable') });
    const column = whole.getChildAt(i);
    const time = c.type.startsWith('timestamp');
    const values = function* () {
      for (const data of column.data) {
        const vector = new arrow.Vector([data]);
        for (let j = 0; j < data.length; j++) {
          yield time ? (data.getValid(j) ? new BigInt64Array(data.values.buffer, data.values.byteOffset, data.values.byteLength / 8)[j] : null) : vector.get(j);
        }
      }
    };
    same(`apache-arrow: ${table}.${c.name}`, summary(c.type, values()), { absent: c.absent, distinct: c.distinct, least: c.least, most: c.most, sum: c.sum });
  });
  return whole.numRows;
}

const readers = { [`DuckDB ${version()}`]: duckdb, hyparquet: hyparquetReads, 'parquet-wasm, apache-arrow': arrowReads };
for (const name of ['one', 'many']) {
  const judged = JSON.parse(readFileSync(`${dir}/${name}/judged.json`, 'utf8'));
  const header = JSON.parse(readFileSync(`${dir}/${name}/dataset.json`, 'utf8'));
  for (const [reader, read] of Object.entries(readers)) {
    for (const table of ['attempts', 'services']) {
      const parts = header[table].parts.map((p) => `${dir}/${name}/${p.name}`);
      const rows = await read(table, judged[table], parts);
      if (rows !== header[table].rows) fail(`${reader}: ${table} has ${rows} rows, not ${header[table].rows}`);
      console.log(`${reader}: ${name}, ${table}: ${rows} rows in ${parts.length} parts, ${judged[table].length} columns as written`);
    }
  }
}
if (cells < 500) fail(`${cells} comparisons`);
