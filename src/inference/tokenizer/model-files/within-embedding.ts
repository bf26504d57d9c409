/** The tables of a byte-pair vocabulary. */
export interface TokenTable {
  /** By id; holes are ids without a token. */
  readonly tokens: readonly (string | undefined)[]
  /** Lines of `left right`, in order of rank. */
  readonly merges: readonly string[]
  readonly literals: ReadonlyMap<string, number>
  readonly specialIds: ReadonlySet<number>
  readonly startTokenIds: readonly number[]
}

const NAMED_IN_WARNING = 3

/**
 * Keeps the tokens for which the model has an embedding. A text that contains another one is encoded as if that token
 * did not exist.
 *
 * @param rows  of the embedding
 */
export function withinEmbedding<Table extends TokenTable>(table: Table, rows: number): Table {
  if (table.tokens.length <= rows) return table
  const tokens = table.tokens.slice(0, rows)
  const kept = new Set(tokens)
  const excluded = new Set(table.tokens.slice(rows).filter(token => token !== undefined && !kept.has(token)))
  return {
    ...table,
    tokens,
    merges: table.merges.filter(line => !mergeNames(line, excluded)),
    literals: new Map([...table.literals].filter(([, tokenId]) => tokenId < rows)),
    specialIds: new Set([...table.specialIds].filter(tokenId => tokenId < rows))
  }
}

/** A warning for the operator when tokens are beyond the embedding; empty otherwise. */
export function excludedTokensWarning(tokens: readonly (readonly [tokenId: number, text: string])[], rows: number): readonly string[] {
  const excluded = tokens.filter(([tokenId]) => tokenId >= rows)
  if (excluded.length === 0) return []
  const named = excluded.slice(0, NAMED_IN_WARNING).map(([tokenId, text]) => `${tokenId} ${JSON.stringify(text.slice(0, 80))}`)
  const list = `${named.join(', ')}${excluded.length > NAMED_IN_WARNING ? ', ...' : ''}`
  return [
    `the tokenizer has ${excluded.length} token(s) beyond the ${rows} rows of the model's embedding: ${list}. ` +
      'They are excluded and encoded as plain text. The tokenizer may belong to another model.'
  ]
}

/** Whether one of these tokens is an operand or the result of a merge. */
export function mergeNames(line: string, tokens: ReadonlySet<string | undefined>): boolean {
  const space = line.indexOf(' ', 1)
  const [left, right] = [line.slice(0, space), line.slice(space + 1)]
  return tokens.has(left) || tokens.has(right) || tokens.has(left + right)
}
