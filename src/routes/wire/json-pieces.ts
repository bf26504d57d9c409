/** Characters of a piece, about: what is written at once, and made at once. */
const PIECE_CHARS = 32_768

/**
 * A list of an answer whose items are made while it is written and not kept: however long it is, it takes no memory.
 */
export class LazyList<Item> implements Iterable<Item> {
  readonly #items: () => Iterable<Item>

  /** @param items  called each time that the list is read; an item is a small value without lazy lists in it */
  constructor(items: () => Iterable<Item>) {
    this.#items = items
  }

  [Symbol.iterator](): Iterator<Item> {
    return this.#items()[Symbol.iterator]()
  }

  toJSON(): readonly Item[] {
    return [...this]
  }
}

/** What `JSON.stringify` makes of plain data and lazy lists, in pieces: each is a bounded amount of work. */
export function* jsonPieces(value: unknown): Generator<string, void> {
  let piece = ''
  for (const part of parts(value)) {
    piece += part
    if (piece.length < PIECE_CHARS) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}

function* parts(value: unknown): Generator<string, void> {
  if (value instanceof LazyList) yield* listParts(value, item => [JSON.stringify(item)])
  else if (Array.isArray(value) && isObject(value[0])) yield* listParts(value, parts)
  else if (isObject(value) && !Array.isArray(value)) yield* objectParts(value)
  else yield JSON.stringify(value) ?? 'null'
}

function* listParts(items: Iterable<unknown>, partsOf: (item: unknown) => Iterable<string>): Generator<string, void> {
  let before = '['
  for (const item of items) {
    yield before
    yield* partsOf(item)
    before = ','
  }
  yield before === '[' ? '[]' : ']'
}

function* objectParts(value: object): Generator<string, void> {
  let before = '{'
  for (const [key, part] of Object.entries(value)) {
    if (part === undefined) continue
    yield `${before}${JSON.stringify(key)}:`
    yield* parts(part)
    before = ','
  }
  yield before === '{' ? '{}' : '}'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
