/** Length of a piece in characters, about. */
const PIECE_CHARS = 32_768

/** A list whose items are created while it is serialized and not kept, so that it takes no memory. */
export class LazyList<Item> implements Iterable<Item> {
  readonly #items: () => Iterable<Item>

  /** @param items  called each time the list is read; items are small values without lazy lists in them */
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

/** The JSON text of plain data and lazy lists, in pieces that each take a bounded amount of work. */
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
