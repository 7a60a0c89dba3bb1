"""Reads with polars and pyarrow the datasets that TestJudge wrote, as judge.mjs does with others' readers. `make readers` runs it."""
import json
import sys

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# Each type of docs/tables.md, as pyarrow and polars call it.
TYPES = {
    "bool": (pa.bool_(), pl.Boolean()),
    "uint16": (pa.uint16(), pl.UInt16()),
    "uint32": (pa.uint32(), pl.UInt32()),
    "int32, nullable": (pa.int32(), pl.Int32()),
    "int64, nullable": (pa.int64(), pl.Int64()),
    "timestamp[ns] UTC, nullable": (pa.timestamp("ns"), pl.Datetime("ns")),
    "utf8": (pa.string(), pl.String()),
    "binary": (pa.binary(), pl.Binary()),
    "list<utf8>": (pa.list_(pa.string()), pl.List(pl.String())),
}
cells = 0


def same(where, got, want):
    global cells
    cells += 1
    if got != want:
        sys.exit(f"FAIL: {where}: {got}, not {want}")


def summary(kind, values):
    """What TestJudge writes of a column, of its values in Python."""
    absent, total, seen = 0, 0, set()
    for v in values:
        if kind == "bool":
            total += v
            seen.add(v)
        elif kind == "list<utf8>":
            absent += len(v) == 0
            total += len(v)
            seen.update(v)
        elif kind in ("utf8", "binary"):
            absent += len(v) == 0
            total += len(v.encode() if kind == "utf8" else v)
            seen.add(v)
        elif v is None:
            absent += 1
        else:
            total += v
            seen.add(v)
    ordered = kind not in ("bool", "binary") and seen
    return {"absent": str(absent), "distinct": str(len(seen)), "sum": str(total),
            "least": str(min(seen)) if ordered else "", "most": str(max(seen)) if ordered else ""}


def pyarrow_reads(table, columns, parts):
    for part in parts:
        schema = pq.ParquetFile(part).schema
        same(f"pyarrow: {part}: columns", schema.to_arrow_schema().names, [c["name"] for c in columns])
        for i, c in enumerate(columns):
            if "list" not in c["type"]:
                leaf = next(schema.column(j) for j in range(len(schema)) if schema.column(j).path == c["name"])
                same(f"pyarrow: {part}: {c['name']}", leaf.max_definition_level, int("nullable" in c["type"]))
    whole = pa.concat_tables([pq.read_table(p) for p in parts])
    whole.validate(full=True)
    for c in columns:
        column = whole.column(c["name"])
        found = column.type
        if pa.types.is_list(found):
            found = pa.list_(found.value_type)
        if pa.types.is_timestamp(found):
            found = pa.timestamp(found.unit)
            column = pc.cast(column, pa.int64())
        same(f"pyarrow: {table}.{c['name']}", found, TYPES[c["type"]][0])
        same(f"pyarrow: {table}.{c['name']}", whole.schema.field(c["name"]).nullable, "nullable" in c["type"])
        same(f"pyarrow: {table}.{c['name']}", summary(c["type"], column.to_pylist()), {k: c[k] for k in ("absent", "distinct", "sum", "least", "most")})
    return whole.num_rows


def polars_reads(table, columns, parts):
    whole = pl.read_parquet(parts)
    same(f"polars: {table}: columns", whole.columns, [c["name"] for c in columns])
    for c in columns:
        column = whole[c["name"]]
        found = column.dtype
        if isinstance(found, pl.Datetime):
            found = pl.Datetime(found.time_unit)
            column = column.to_physical()
        same(f"polars: {table}.{c['name']}", found, TYPES[c["type"]][1])
        same(f"polars: {table}.{c['name']}", summary(c["type"], column.to_list()), {k: c[k] for k in ("absent", "distinct", "sum", "least", "most")})
    return whole.height


for name in ("one", "many"):
    with open(f"{sys.argv[1]}/{name}/judged.json") as f:
        judged = json.load(f)
    with open(f"{sys.argv[1]}/{name}/dataset.json") as f:
        header = json.load(f)
    for reader, read in ((f"pyarrow {pa.__version__}", pyarrow_reads), (f"polars {pl.__version__}", polars_reads)):
        for table in ("attempts", "services"):
            parts = [f"{sys.argv[1]}/{name}/{p['name']}" for p in header[table]["parts"]]
            rows = read(table, judged[table], parts)
            same(f"{reader}: {table}: rows", rows, header[table]["rows"])
            print(f"{reader}: {name}, {table}: {rows} rows in {len(parts)} parts, {len(judged[table])} columns as written")
if cells < 300:
    sys.exit(f"FAIL: {cells} comparisons")
