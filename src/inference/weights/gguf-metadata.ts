import { GGUF_LIMITS } from './gguf-limits.ts'
import type { HeaderReader } from './header-reader.ts'

/** A metadata value; 64-bit integers are bigint only if they are not safe integers. */
export type GgufValue = string | number | bigint | boolean | readonly GgufValue[]

export type GgufMetadata = ReadonlyMap<string, GgufValue>

const STRING = 8
const ARRAY = 9

/**
 * Readers by value type, with the minimum size of a value.
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, `gguf_metadata_value_type`
 */
const SCALARS: Readonly<Record<number, readonly [bytes: number, read: (reader: HeaderReader, what: string) => GgufValue]>> = {
  0: [1, (reader, what) => reader.u8(what)],
  1: [1, (reader, what) => reader.i8(what)],
  2: [2, (reader, what) => reader.u16(what)],
  3: [2, (reader, what) => reader.i16(what)],
  4: [4, (reader, what) => reader.u32(what)],
  5: [4, (reader, what) => reader.i32(what)],
  6: [4, (reader, what) => reader.f32(what)],
  7: [1, (reader, what) => reader.u8(what) !== 0],
  [STRING]: [8, (reader, what) => reader.string(what, GGUF_LIMITS.stringBytes)],
  10: [8, (reader, what) => toNumber(reader.u64(what))],
  11: [8, (reader, what) => toNumber(reader.i64(what))],
  12: [8, (reader, what) => reader.f64(what)]
}

/** Size of an array's element type and count. */
const ARRAY_HEADER_BYTES = 12

/** Reads the key/value pairs of a GGUF header. */
export function readGgufMetadata(reader: HeaderReader, keys: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>()
  let elementsLeft: number = GGUF_LIMITS.arrayElements

  function value(type: number, what: string, depth: number): GgufValue {
    if (type === ARRAY) return array(what, depth + 1)
    const scalar = SCALARS[type]
    if (scalar === undefined) reader.fail(`${what} has the unknown value type ${type}`)
    return scalar[1](reader, what)
  }

  function array(what: string, depth: number): readonly GgufValue[] {
    if (depth > GGUF_LIMITS.arrayDepth) reader.fail(`${what} is an array nested deeper than ${GGUF_LIMITS.arrayDepth}`)
    const type = reader.u32(`element type of ${what}`)
    const length = reader.count(`length of ${what}`, elementsLeft)
    const leastBytes = length * (SCALARS[type]?.[0] ?? ARRAY_HEADER_BYTES)
    if (leastBytes > reader.remaining) reader.fail(`${what} claims ${length} elements, but only ${reader.remaining} bytes may follow`)
    elementsLeft -= length
    const elements: GgufValue[] = []
    for (let i = 0; i < length; i++) elements.push(value(type, what, depth))
    return elements
  }

  for (let i = 0; i < keys; i++) {
    const key = reader.string(`metadata key ${i}`, GGUF_LIMITS.nameBytes)
    if (metadata.has(key)) reader.fail(`metadata key ${JSON.stringify(key)} appears twice`)
    metadata.set(key, value(reader.u32(`type of ${JSON.stringify(key)}`), JSON.stringify(key), 0))
  }
  return metadata
}

function toNumber(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
