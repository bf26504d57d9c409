import type { Random } from './random.ts'

/** The part of JSON Schema that /openapi.json uses. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
}

const WORDS = ['Hello', 'the', ' world', '\n', 'é', '🔥', '<|im_end|>', '<|endoftext|>', '{{ 7 * 7 }}', '{% for x in y %}', '</s>'] as const
const NUMBERS = [0, -0, -1, 0.1, 1e-45, 5e-324, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 2 ** 63, 2 ** 64, 1e308, -1e308] as const
const KEYS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'a\r\nb: c', '\u0000', '💥', 'x'.repeat(5000)] as const

export function someText(random: Random): string {
  return Array.from({ length: random.integer(1, 12) }, () => random.pick(WORDS)).join('')
}

/** A value that a schema allows, or nearly: bounds of lengths are not obeyed. */
function exampleOf(schema: JsonSchema, random: Random): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return random.pick(schema.enum)
  if (schema.anyOf !== undefined) return exampleOf(random.pick(schema.anyOf), random)
  const type = typeof schema.type === 'string' ? schema.type : random.pick(schema.type ?? ['string', 'integer', 'object', 'null'])
  switch (type) {
    case 'string':
      return someText(random)
    case 'integer':
      return random.integer(Math.max(schema.minimum ?? 0, -1000), Math.min(schema.maximum ?? 64, 64))
    case 'number':
      return random.integer(0, 1000) / 500
    case 'boolean':
      return random.chance(0.5)
    case 'array':
      return Array.from({ length: random.integer(schema.minItems ?? 0, 4) }, () => exampleOf(schema.items ?? {}, random))
    case 'object':
      return objectOf(schema, random)
    default:
      return null
  }
}

/** All required fields, and some of the others. */
export function objectOf({ properties = {}, required = [] }: JsonSchema, random: Random): Record<string, unknown> {
  const names = Object.keys(properties).filter(name => required.includes(name) || random.chance(0.15))
  return Object.fromEntries(names.map(name => [name, exampleOf(properties[name] ?? {}, random)]))
}

/** What no field expects: of the wrong type, too large, too deep, too many. */
export function hostileValue(random: Random): unknown {
  return random.pick(HOSTILE)(random)
}

const HOSTILE: readonly ((random: Random) => unknown)[] = [
  () => null,
  () => ({}),
  () => [],
  random => random.chance(0.5),
  random => random.pick(NUMBERS),
  random => random.pick(KEYS),
  random => random.pick(['\ud800', '\udc00\ud800', '\uffff', '\u2028', 'a\u0000b']).repeat(random.integer(1, 100)),
  random => random.pick(['a', ' ', 'é', '🔥', '\n', '"', '\\', '<|im_end|>']).repeat(random.integer(1000, 200_000)),
  random => new Array(random.integer(1, 300_000)).fill(random.pick([0, -1, null, 'a', 1.5])),
  random => new Array(random.integer(1, 50_000)).fill(random.pick([{}, [], { role: 'user' }, { type: 'text' }])),
  random => nested(random.integer(2, 3000), random),
  random =>
    Object.fromEntries(
      Array.from({ length: random.integer(1, 20_000) }, (_, index) => [`${random.pick(KEYS.slice(0, -1))}${index}`, index])
    ),
  random => JSON.parse(`{${JSON.stringify(random.pick(KEYS))}: ${JSON.stringify(someText(random))}}`),
  random => JSON.stringify(nested(random.integer(2, 3000), random)),
  random => Array.from({ length: random.integer(1, 200) }, () => someText(random))
]

function nested(depth: number, random: Random): unknown {
  const wrap = random.chance(0.5) ? (inner: unknown) => [inner] : (inner: unknown) => ({ a: inner })
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = wrap(value)
  return value
}

/** The same value with one place in it replaced by something hostile. */
export function damaged(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null) return hostileValue(random)
  const keys = Object.keys(value)
  if (keys.length === 0 || random.chance(0.1)) return hostileValue(random)
  const key = random.pick(keys)
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === key ? damaged(item, random) : item))
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, name === key ? damaged(inner, random) : inner]))
}

/** Numbers that `JSON.stringify` does not write. */
const NUMERALS = [
  '1e400',
  '-1e400',
  '1e-400',
  '-0',
  '-0.0',
  '1E2',
  '1.0',
  '18446744073709551616',
  '00',
  '+1',
  '.5',
  '9'.repeat(400)
] as const

/** A text that is no longer JSON, or not the same. */
export function damagedText(json: string, random: Random): string {
  const at = random.integer(0, json.length)
  return random.pick([
    () => json.slice(0, at),
    () => json.slice(0, at) + random.pick(['\u0000', '"', '[', '}', ',', '\ufeff', 'NaN', '[['.repeat(1000)]) + json.slice(at),
    () => '['.repeat(random.integer(1, 200_000)),
    () => json + json,
    () => json.replaceAll(/(?<=":)-?\d[\d.e+-]*/g, number => (random.chance(0.3) ? random.pick(NUMERALS) : number)),
    () => json.replace('{', `{"prompt":[1],"messages":0,"model":"x","max_tokens":${random.pick(NUMERALS)},"prompt":"again",`),
    () => ''
  ])()
}
