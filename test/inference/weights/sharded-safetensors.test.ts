import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ModelFileError } from '../../../src/inference/weights/model-file-error.ts'
import { openShardedSafetensors, shardPaths } from '../../../src/inference/weights/sharded-safetensors.ts'
import { safetensorsBytes } from './write-safetensors.ts'

const ONE = 'model-00001-of-00002.safetensors'
const TWO = 'model-00002-of-00002.safetensors'
const GOOD = { a: ONE, b: TWO }

let folder: string
let index: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shards-'))
  index = join(folder, 'model.safetensors.index.json')
  await writeShard(ONE, { a: 1 })
  await writeShard(TWO, { b: 2 })
})
afterEach(() => rm(folder, { recursive: true }))

async function writeShard(name: string, values: Readonly<Record<string, number>>): Promise<void> {
  const tensors = Object.entries(values).map(([tensor, value]) => ({ name: tensor, shape: [1], values: Float32Array.of(value) }))
  await writeFile(join(folder, name), safetensorsBytes(tensors))
}

async function open(content: unknown): Promise<void> {
  await writeFile(index, typeof content === 'string' ? content : JSON.stringify(content))
  await using _ = await openShardedSafetensors(index)
}

it('reads each tensor from its own file', async () => {
  await writeFile(index, JSON.stringify({ metadata: { total_size: 8 }, weight_map: GOOD }))
  await using file = await openShardedSafetensors(index)
  const read = async (name: string) => {
    const tensor = file.tensors.get(name)
    return tensor && new Float32Array((await file.read(tensor, 0, 4)).buffer)[0]
  }
  expect([await read('a'), await read('b')]).toEqual([1, 2])
  expect(await shardPaths(index)).toEqual([join(folder, ONE), join(folder, TWO)])
})

it('follows symbolic links, which the hub cache consists of', async () => {
  await mkdir(join(folder, 'snapshot'))
  await symlink(join(folder, ONE), join(folder, 'snapshot', ONE))
  index = join(folder, 'snapshot', 'model.safetensors.index.json')
  await expect(open({ weight_map: { a: ONE } })).resolves.toBeUndefined()
})

const HOSTILE: [reason: string, content: unknown, message: RegExp][] = [
  ['a path out of the folder', { weight_map: { ...GOOD, c: '../other.safetensors' } }, /must be the name of a \.safetensors file beside/],
  ['an absolute path', { weight_map: { ...GOOD, c: '/etc/x.safetensors' } }, /must be the name of a \.safetensors file beside/],
  ['a Windows path', { weight_map: { ...GOOD, c: 'C:x.safetensors' } }, /must be the name of a \.safetensors file beside/],
  ['a file of another kind', { weight_map: { ...GOOD, c: 'passwd' } }, /must be the name of a \.safetensors file beside/],
  ['a missing file', { weight_map: { ...GOOD, c: 'gone.safetensors' } }, /gone\.safetensors: cannot be opened/],
  ['a tensor that is not in its file', { weight_map: { ...GOOD, c: ONE } }, /tensor "c" is not in model-00001/],
  ['a tensor that is in another file', { weight_map: { a: TWO, b: TWO } }, /tensor "a" is not in model-00002/],
  ['no tensors', { weight_map: {} }, /names 0 tensors in 0 files/],
  ['too many files', { weight_map: many(600, i => `${i}.safetensors`) }, /names 600 tensors in 600 files/],
  ['no map', { metadata: {} }, /weight_map/],
  ['a file that is not JSON', '{"weight_map":', /cannot be read/],
  [
    'names that are properties of every object',
    '{"weight_map":{"__proto__":"x.safetensors","toString":"x.safetensors"}}',
    /x\.safetensors: cannot be opened/
  ]
]

function many(count: number, value: (index: number) => string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, value(i)]))
}

it.each(HOSTILE)('refuses %s', async (_, content, message) => {
  await expect(open(content)).rejects.toThrow(message)
  await expect(open(content)).rejects.toBeInstanceOf(ModelFileError)
})

it('refuses a tensor that is in two files, and one that is not in the index', async () => {
  await writeShard(TWO, { b: 2, a: 3 })
  await expect(open({ weight_map: GOOD })).rejects.toThrow(/model-00002.*holds tensor "a", which the index assigns to model-00001/)
  await writeShard(TWO, { b: 2, c: 3 })
  await expect(open({ weight_map: GOOD })).rejects.toThrow(/model-00002.*holds tensor "c", which the index does not mention/)
})
