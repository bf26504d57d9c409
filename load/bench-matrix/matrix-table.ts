import type { FileReport } from '../bench-files/measure-file.ts'

/** A model of the matrix: its measurements, or why there are none. */
export type MatrixRow = { readonly label: string; readonly report: FileReport } | { readonly label: string; readonly missing: string }

/**
 * A Markdown table. A cell is the ratio of minima, above 1 where everstream is faster, and both minima in milliseconds;
 * without llama.cpp only everstream's.
 */
export function matrixTable(rows: readonly MatrixRow[]): string {
  const columns = [...new Set(rows.flatMap(row => ('report' in row ? row.report.cases.map(({ name }) => name) : [])))]
  const head = ['model', 'GB', ...columns]
  const lines = rows.map(row => {
    if ('missing' in row) return [row.label, '', row.missing, ...columns.slice(1).map(() => '')]
    return [row.label, (row.report.fileBytes / 1e9).toFixed(2), ...columns.map(name => cell(row.report, name))]
  })
  return [head, head.map(() => '---'), ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

function cell({ cases, skipped }: FileReport, name: string): string {
  const found = cases.find(one => one.name === name)
  if (found === undefined) return skipped.some(line => line.startsWith(`${name}:`)) ? 'no memory' : ''
  const { everstream, llamaCpp, ratioOfLeast } = found
  return llamaCpp === null ? `${everstream.leastMs}` : `${ratioOfLeast} (${everstream.leastMs} : ${llamaCpp.leastMs})`
}
