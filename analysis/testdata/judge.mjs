// Reads with DuckDB the tables that TestJudge wrote, and compares every cell with the JSON lines
// beside them, and every column's Parquet statistics with its values.
//
//   npm install --prefix DIR @duckdb/node-api
//   go test ./analysis -run TestJudge -judge DIR
//   node analysis/testdata/judge.mjs DIR
import { createRequire } from 'node:module';
import { readFileSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';

const dir = resolve(process.argv[2]);
const { DuckDBInstance, version } = createRequire(dir + '/')('@duckdb/node-api');
const db = await (await DuckDBInstance.create(':memory:')).connect();
const ask = async (sql) => (await db.runAndReadAll(sql)).getRowObjectsJson();

// Every value as the JSON lines have it: numbers and times as text, so that no digit is lost.
const exact = {
  BIGINT: (c) => `CAST("${c}" AS VARCHAR)`,
  TIMESTAMP_NS: (c) => `CAST(epoch_ns("${c}") AS VARCHAR)`,
  BLOB: (c) => `lower(hex("${c}"))`,
  VARCHAR: (c) => `"${c}"`,
  BOOLEAN: (c) => `"${c}"`,
  'VARCHAR[]': (c) => `"${c}"`,
};

let cells = 0;
const fail = (text) => {
  console.error(text);
  process.exit(1);
};

for (const file of readdirSync(dir).filter((f) => f.endsWith('.parquet')).sort()) {
  const table = `'${dir}/${file}'`;
  const columns = await ask(`DESCRIBE FROM ${table}`);
  const select = columns.map(({ column_name: c, column_type: t }) =>
    exact[t] ? `${exact[t](c)} AS "${c}"` : fail(`${file}: column ${c} is ${t}`));
  const rows = await ask(`SELECT ${select.join(', ')} FROM ${table}`);
  const lines = readFileSync(`${dir}/${file.replace('.parquet', '.jsonl')}`, 'utf8').split('\n').slice(0, -1);
  if (rows.length !== lines.length) fail(`${file}: ${rows.length} rows, not ${lines.length}`);
  lines.forEach((line, i) => {
    const want = JSON.parse(line);
    for (const { column_name: c } of columns) {
      const [got, expected] = [JSON.stringify(rows[i][c]), JSON.stringify(want[c])];
      if (got !== expected) fail(`${file}: row ${i}, column ${c}: ${got}, not ${expected}`);
      cells++;
    }
  });
  for (const { column_name: c, column_type: t } of columns.filter((c) => c.column_type === 'BIGINT')) {
    const [s] = await ask(`SELECT sum(stats_null_count) = (SELECT count(*) - count("${c}") FROM ${table})
        AND min(stats_min_value::BIGINT) IS NOT DISTINCT FROM (SELECT min("${c}") FROM ${table})
        AND max(stats_max_value::BIGINT) IS NOT DISTINCT FROM (SELECT max("${c}") FROM ${table}) AS ok
      FROM parquet_metadata(${table}) WHERE path_in_schema = '${c}'`);
    if (rows.length > 0 && s.ok !== true) fail(`${file}: the statistics of column ${c} are wrong`);
  }
  console.log(`${file}: ${rows.length} rows read as written`);
}
if (cells === 0) fail(`no table in ${dir}`);
console.log(`DuckDB ${version()}: ${cells} cells and all statistics as written`);
