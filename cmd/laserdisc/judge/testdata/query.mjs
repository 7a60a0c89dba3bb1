// Counts the rows that queries give, with DuckDB. The queries are a list in JSON on standard input.
// node query.mjs MODULES
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const { DuckDBInstance } = createRequire(resolve(process.argv[2]) + '/')('@duckdb/node-api');
const db = await (await DuckDBInstance.create(':memory:')).connect();
const rows = [];
for (const sql of JSON.parse(readFileSync(0, 'utf8'))) rows.push((await db.runAndReadAll(sql)).getRowObjectsJson().length);
console.log(JSON.stringify(rows));
