// Reads a Parquet file with hyparquet, a reader that shares no code with the writer, and prints one JSON object:
// { rows, columns: [{name, type}], data: [ {column: value} ] }. 64-bit integers are printed as strings.
// Usage: node read-parquet.mjs FILE [FIRST_ROW END_ROW]
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'

const [path, first, end] = process.argv.slice(2)
const file = await asyncBufferFromFile(path)
const metadata = await parquetMetadataAsync(file)

// SQL words for a schema node: BYTE_ARRAY/UTF8 is VARCHAR, a LIST group is ELEMENT[], a MAP group MAP(KEY, VALUE).
function typeOf(node) {
  const { type, converted_type: converted, logical_type: logical } = node.element
  if (converted === 'LIST') return typeOf(node.children[0].children[0]) + '[]'
  if (converted === 'MAP') return 'MAP(' + node.children[0].children.map(typeOf).join(', ') + ')'
  if (node.children.length) return 'STRUCT(' + node.children.map(c => c.element.name + ' ' + typeOf(c)).join(', ') + ')'
  if (converted === 'UTF8' || logical?.type === 'STRING') return 'VARCHAR'
  return type
}

const columns = parquetSchema(metadata).children.map(c => ({ name: c.element.name, type: typeOf(c) }))
const data = await parquetReadObjects({ file, metadata, ...(first === undefined ? {} : { rowStart: Number(first), rowEnd: Number(end) }) })
console.log(JSON.stringify({ rows: Number(metadata.num_rows), columns, data }, (_, v) => (typeof v === 'bigint' ? String(v) : v)))
