import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ModelFileError } from '../../../src/inference/weights/model-file-error.ts'
import { openSafetensors } from '../../../src/inference/weights/safetensors.ts'
import { u64 } from './write-gguf.ts'
import { safetensorsBytes, withHeader } from './write-safetensors.ts'

const SMALL = safetensorsBytes([
  { name: 'a', shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) },
  { name: 'b', shape: [1], values: Float32Array.of(7) }
])

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'))
  path = join(folder, 'model.safetensors')
})
afterAll(() => rm(folder, { recursive: true }))

async function open(bytes: Uint8Array): Promise<void> {
  await writeFile(path, bytes)
  await using _ = await openSafetensors(path)
}

it('reads a file that was written from the specification', async () => {
  await writeFile(path, SMALL)
  await using file = await openSafetensors(path)
  const tensor = file.tensors.get('b')
  expect([...file.tensors.keys()]).toEqual(['a', 'b'])
  expect(file.tensors.get('a')?.shape).toEqual([2, 3])
  expect(tensor && (await file.read(tensor, 0, 4))).toEqual(new Uint8Array(Float32Array.of(7).buffer))
})

it('refuses a file truncated at any byte', async () => {
  await writeFile(path, SMALL)
  for (let length = SMALL.length - 1; length >= 0; length--) {
    await truncate(path, length)
    await expect(openSafetensors(path), `${length} bytes`).rejects.toThrow(ModelFileError)
  }
})

it('either opens or refuses a damaged file', async () => {
  const change = fc.record({ at: fc.nat(SMALL.length - 1), byte: fc.nat(255) })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async changes => {
      const damaged = Buffer.from(SMALL)
      for (const { at, byte } of changes) damaged[at] = byte
      await open(damaged).catch(error => expect(error).toBeInstanceOf(ModelFileError))
    }),
    { numRuns: 500 }
  )
})

const HOSTILE: [reason: string, bytes: Buffer, message: RegExp][] = [
  ['a header of 2^64 - 1 bytes', u64(2n ** 64n - 1n), /length of header is 18446744073709551615, at most/],
  ['a header longer than the file', u64(1000), /header at byte 8 needs 1000 bytes/],
  ['a header that is a list', withHeader([]), /its header is not a JSON object/],
  ['a header that is not JSON', withHeader('{"a":'), /its header is not a JSON object/],
  ['a deeply nested header', withHeader('['.repeat(1_000_000)), /its header is not a JSON object/],
  ['an unknown dtype', withHeader({ t: { dtype: 'F1', shape: [1], data_offsets: [0, 1] } }), /"t" has the unknown dtype "F1"/],
  [
    'a dtype that is a property of every object',
    withHeader({ t: { dtype: 'constructor', shape: [1], data_offsets: [0, 1] } }),
    /unknown dtype "constructor"/
  ],
  ['a negative size', withHeader({ t: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }), /"t" does not have valid dtype/],
  [
    'an offset past the end',
    withHeader({ t: { dtype: 'F32', shape: [1], data_offsets: [2 ** 40, 2 ** 40 + 4] } }),
    /"t" needs 4 bytes and has data_offsets/
  ],
  [
    'offsets in reverse order',
    withHeader({ t: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }),
    /"t" needs 4 bytes and has data_offsets 4 to 0/
  ],
  [
    'a dtype half as wide as its bytes',
    withData({ t: { dtype: 'F16', shape: [2], data_offsets: [0, 8] } }, 8),
    /"t" needs 4 bytes and has data_offsets 0 to 8/
  ],
  [
    'tensors that share bytes',
    withData({ t: { dtype: 'F32', shape: [2], data_offsets: [0, 8] }, u: { dtype: 'F32', shape: [2], data_offsets: [4, 12] } }, 12),
    /"u" overlaps the previous one/
  ],
  [
    'a gap between tensors',
    withData({ t: { dtype: 'F32', shape: [1], data_offsets: [0, 4] }, u: { dtype: 'F32', shape: [1], data_offsets: [8, 12] } }, 12),
    /"u" leaves a gap after the previous one/
  ],
  [
    'bytes after the last tensor',
    withData({ t: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 7),
    /the last 3 bytes belong to no tensor/
  ],
  ['sizes that overflow', withHeader({ t: { dtype: 'F32', shape: [2 ** 50, 2 ** 50], data_offsets: [0, 0] } }), /"t" needs \d{31} bytes/]
]

function withData(header: object, bytes: number): Buffer {
  return Buffer.concat([withHeader(header), Buffer.alloc(bytes)])
}

it.each(HOSTILE)('refuses %s', async (_, bytes, message) => {
  await expect(open(bytes)).rejects.toThrow(message)
  await expect(open(bytes)).rejects.toBeInstanceOf(ModelFileError)
})
