import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { fields, parseConfigJson } from '../../../src/inference/families/definition/config-json.ts'
import { FAMILIES } from '../../../src/inference/families/registry.ts'

const FIXTURES = globSync('test/fixtures/families/*/config.json').map(path => [path, readJson(path)] as const)

function readJson(path: string): Readonly<Record<string, unknown>> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, 'utf8')))
}

/** The configuration that a family reads from config.json, or its error message. */
function outcome(json: Readonly<Record<string, unknown>>): unknown {
  const family = FAMILIES.find(({ modelTypes }) => modelTypes.includes(String(json['model_type'])))
  if (family === undefined) throw new Error(`no family ${json['model_type']}`)
  try {
    return parseConfigJson('config.json', json, family.configJson)
  } catch (error) {
    return String(error)
  }
}

function without(json: Readonly<Record<string, unknown>>, field: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(json).filter(([name]) => name !== field))
}

it.each(FIXTURES)('accepts null for every optional field: %s', (_, json) => {
  for (const field of Object.keys(json).filter(name => name !== 'model_type')) {
    const absent = outcome(without(json, field))
    const given = outcome({ ...json, [field]: null })
    if (typeof absent === 'string') expect(given, field).toBe(absent)
    else expect(given, field).toBeTypeOf('object')
  }
})

it('treats null as an absent field, at every depth, unless the schema accepts null', () => {
  const schema = fields({
    plain: z.int().optional(),
    chosen: z.int().default(3),
    meant: z.int().nullable().default(4),
    inner: fields({ chosen: z.int().default(5) }).optional()
  })
  expect(parseConfigJson('config.json', { plain: null, chosen: null, meant: null, inner: { chosen: null } }, schema)).toEqual({
    chosen: 3,
    meant: null,
    inner: { chosen: 5 }
  })
})

it('reads a field by the first of its names that has a value', () => {
  const schema = fields({ size: z.int() }, { size: ['width', 'n'] })
  expect(parseConfigJson('config.json', { size: null, width: 2, n: 3 }, schema)).toEqual({ size: 2 })
  expect(() => parseConfigJson('config.json', { width: null }, schema)).toThrow('config.json: size is missing')
})

it.each([
  ['llama', { num_key_value_heads: null }, { kvHeads: 2 }],
  ['llama', { head_dim: null }, { headDim: 16 }],
  ['mistral', { num_key_value_heads: null }, { kvHeads: 4 }],
  ['mistral', { sliding_window: null }, { window: null }],
  ['qwen3', { num_key_value_heads: null }, { kvHeads: 4 }],
  ['qwen3', { head_dim: null }, { headDim: 128 }],
  ['gpt2', { n_inner: null }, { feedForward: 128 }]
])('uses the defaults of transformers for null: %s %j', (family, overrides, expected) => {
  expect(outcome({ ...readJson(`test/fixtures/families/${family}/config.json`), ...overrides })).toMatchObject(expected)
})

it('names the field and the value when a file is not an object, or a value has a wrong type or is out of bounds', () => {
  const schema = fields({ size: z.int().max(9) })
  for (const json of [null, [], 7, 'x']) expect(() => parseConfigJson('config.json', json, schema)).toThrow(/^config\.json: the file is /)
  expect(() => parseConfigJson('config.json', { size: 'x'.repeat(1000) }, schema)).toThrow(/^config\.json: size is "x{99}: .{0,80}$/)
  expect(() => parseConfigJson('config.json', { size: 10 }, schema)).toThrow(/size is 10: .*9/)
})
