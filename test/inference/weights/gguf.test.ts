import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGguf } from '../../../src/inference/weights/gguf.ts'
import { GGUF_LIMITS } from '../../../src/inference/weights/gguf-limits.ts'
import { ModelFileError } from '../../../src/inference/weights/model-file-error.ts'
import { ggufBytes, string, u32, u64 } from './write-gguf.ts'

const F32 = 0
const FLOATS = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)
const SMALL = ggufBytes(
  [
    { key: 'general.architecture', string: 'llama' },
    { key: 'llama.block_count', u32: 2 },
    { key: 'llama.rope.freq_base', f32: 0.5 },
    { key: 'tokenizer.ggml.tokens', strings: ['a', 'é', ''] }
  ],
  [
    { name: 'a', shape: [2, 3], typeId: F32, bytes: FLOATS },
    { name: 'b', shape: [1], typeId: F32, bytes: new Uint8Array(4) }
  ]
)

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gguf-'))
  path = join(folder, 'model.gguf')
})
afterAll(() => rm(folder, { recursive: true }))

async function open(bytes: Uint8Array): Promise<void> {
  await writeFile(path, bytes)
  await using _ = await openGguf(path)
}

it('reads a file that was written from the specification', async () => {
  await writeFile(path, SMALL)
  await using file = await openGguf(path)
  expect(file.version).toBe(3)
  expect(Object.fromEntries(file.metadata)).toEqual({
    'general.architecture': 'llama',
    'llama.block_count': 2,
    'llama.rope.freq_base': 0.5,
    'tokenizer.ggml.tokens': ['a', 'é', '']
  })
  const tensor = file.tensors.get('a')
  expect(tensor?.shape).toEqual([2, 3])
  expect(tensor && (await file.read(tensor, 4, 8))).toEqual(FLOATS.subarray(4, 12))
})

it('refuses a file truncated at any byte', async () => {
  await writeFile(path, SMALL)
  const needed = SMALL.length - 28 // the last tensor's padding
  for (let length = needed - 1; length >= 0; length--) {
    await truncate(path, length)
    await expect(openGguf(path), `${length} bytes`).rejects.toThrow(ModelFileError)
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

const START = Buffer.concat([Buffer.from('GGUF'), u32(3)])
const U64_MAX = 2n ** 64n - 1n
const U32 = 4
const STRING = 8
const ARRAY = 9

/** A header with these parts, and enough bytes after it that only the checks can fail. */
function hostile(tensors: number | bigint, keys: number | bigint, ...parts: Buffer[]): Buffer {
  return Buffer.concat([START, u64(tensors), u64(keys), ...parts, Buffer.alloc(4096)])
}

function tensor(name: string, dims: readonly (number | bigint)[], typeId: number, offset: number | bigint): Buffer {
  return Buffer.concat([string(name), u32(dims.length), ...dims.map(u64), u32(typeId), u64(offset)])
}

const HOSTILE: [reason: string, bytes: Buffer, message: RegExp][] = [
  ['an empty file', Buffer.alloc(0), /magic at byte 0 needs 4 bytes, but the file ends at byte 0/],
  ['another format', Buffer.from('PK\x03\x04 and so on'), /not a GGUF file/],
  ['a big-endian file', Buffer.concat([Buffer.from('GGUF'), u32(0x03000000), Buffer.alloc(99)]), /version is 50331648/],
  ['more tensors than allowed', hostile(GGUF_LIMITS.tensors + 1, 0), /number of tensors is 65537, at most 65536/],
  ['2^64 - 1 keys', hostile(0, U64_MAX), /number of metadata keys is 18446744073709551615/],
  ['a string longer than the file', hostile(0, 1, string('k'), u32(STRING), u64(1_000_000)), /"k" at byte .* needs 1000000 bytes/],
  ['a string of 2^63 bytes', hostile(0, 1, string('k'), u32(STRING), u64(2n ** 63n)), /length of "k" is 9223372036854775808, at most/],
  ['a key beyond its limit', hostile(0, 1, string('k'.repeat(1025))), /length of metadata key 0 is 1025/],
  ['an array longer than the file', hostile(0, 1, string('k'), u32(ARRAY), u32(U32), u64(1_000_000)), /claims 1000000 elements/],
  ['an array beyond its limit', hostile(0, 1, string('k'), u32(ARRAY), u32(U32), u64(2n ** 40n)), /length of "k" is 1099511627776/],
  [
    'arrays nested too deep',
    hostile(0, 1, string('k'), u32(ARRAY), ...Array(5).fill(Buffer.concat([u32(ARRAY), u64(1)]))),
    /nested deeper/
  ],
  ['an unknown value type', hostile(0, 1, string('k'), u32(99)), /"k" has the unknown value type 99/],
  ['the same key twice', hostile(0, 2, ...Array(2).fill(Buffer.concat([string('k'), u32(U32), u32(1)]))), /"k" appears twice/],
  ['an alignment of 0', hostile(0, 1, string('general.alignment'), u32(U32), u32(0)), /general\.alignment is 0/],
  [
    'an alignment that is a string',
    hostile(0, 1, string('general.alignment'), u32(STRING), string('32')),
    /general\.alignment is 32, must/
  ],
  ['the same tensor twice', hostile(2, 0, tensor('t', [1], F32, 0), tensor('t', [1], F32, 0)), /tensor "t" appears twice/],
  ['five dimensions', hostile(1, 0, tensor('t', [1, 1, 1, 1, 1], F32, 0)), /"t" has 5 dimensions/],
  ['no dimension', hostile(1, 0, tensor('t', [], F32, 0)), /"t" has 0 dimensions/],
  ['a size of 0', hostile(1, 0, tensor('t', [4, 0], F32, 0)), /"t" has no elements/],
  [
    'sizes whose product overflows',
    hostile(1, 0, tensor('t', [2n ** 32n, 2n ** 32n, 2n ** 32n, 2n ** 32n], F32, 0)),
    /"t" needs \d{40} bytes/
  ],
  ['an offset past the end', hostile(1, 0, tensor('t', [1], F32, 2n ** 63n)), /"t" needs 4 bytes at 9223372036854775/],
  ['an offset between two alignments', hostile(1, 0, tensor('t', [1], F32, 7)), /"t" starts at 7, which is not a multiple of 32/],
  ['an unknown tensor type', hostile(1, 0, tensor('t', [32], 4, 0)), /"t" has the unknown type 4/],
  ['half a block', hostile(1, 0, tensor('t', [48], 2, 0)), /"t" has rows of 48 elements, Q4_0 needs a multiple of 32/]
]

it.each(HOSTILE)('refuses %s', async (_, bytes, message) => {
  await writeFile(path, bytes)
  const error = await openGguf(path).then(
    () => null,
    (error: unknown) => error
  )
  expect(error).toBeInstanceOf(ModelFileError)
  expect(String(error)).toMatch(message)
  expect(String(error)).toContain(path)
})

it('refuses a path that is not a regular file', async () => {
  await expect(openGguf(folder)).rejects.toThrow(/is not a regular file/)
  await expect(openGguf(join(folder, 'none.gguf'))).rejects.toThrow(/none\.gguf: cannot be opened/)
})

it('reports a file that became shorter while it was open', async () => {
  await writeFile(path, SMALL)
  await using file = await openGguf(path)
  await truncate(path, 100)
  const [tensor] = file.tensors.values()
  await expect(tensor && file.read(tensor, 0, 24)).rejects.toThrow(/"a" ends early/)
})
