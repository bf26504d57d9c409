import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import { ModelFileError } from '../../../src/inference/weights/model-file-error.ts'
import { type TinyGguf, writeTinyGguf } from './tiny-gguf.ts'

let folder: string
let path: string
let cacheFolder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'refused-'))
  path = join(folder, 'tiny.gguf')
  cacheFolder = join(folder, 'cache')
})
afterEach(() => rm(folder, { recursive: true }))

const REFUSED: { name: string; gguf: TinyGguf; message: RegExp }[] = [
  {
    name: 'another architecture',
    gguf: { metadata: [{ key: 'general.architecture', string: 'mamba' }] },
    message: /general\.architecture is "mamba", supported are .*"llama"/
  },
  {
    name: 'one missing bias of three',
    gguf: { extras: ['biases'], without: 'layers.1.key.bias' },
    message: /tensor "blk\.1\.attn_k\.bias" is missing, but "blk\.1\.attn_q\.bias" is present/
  },
  { name: 'a missing matrix', gguf: { without: 'layers.1.up' }, message: /tensor "blk\.1\.ffn_up\.weight" is missing/ },
  {
    name: 'a matrix of another shape',
    gguf: { metadata: [{ key: 'llama.feed_forward_length', u32: 128 }] },
    message: /"blk\.0\.ffn_gate\.weight" is \[96,64\], must be \[128,64\]/
  },
  {
    name: 'a million layers',
    gguf: { metadata: [{ key: 'llama.block_count', u32: 1_000_000 }] },
    message: /block_count is 1000000, must be/
  },
  { name: 'no heads', gguf: { metadata: [{ key: 'llama.attention.head_count', u32: 0 }] }, message: /head_count is 0, must be/ },
  { name: 'an epsilon of 0', gguf: { metadata: [{ key: 'llama.attention.layer_norm_rms_epsilon', f32: 0 }] }, message: /must be positive/ },
  { name: 'experts', gguf: { metadata: [{ key: 'llama.expert_count', u32: 8 }] }, message: /mixtures of experts are not supported/ },
  {
    name: 'YaRN',
    gguf: { metadata: [{ key: 'llama.rope.scaling.type', string: 'yarn' }] },
    message: /rope\.scaling\.type is "yarn", only "none" and "linear"/
  }
]

it.each(REFUSED)('rejects $name and names it', async ({ gguf, message }) => {
  await writeTinyGguf(path, gguf)
  const error = await prepareModel({ path, quantization: 'none', cacheFolder }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(ModelFileError)
  expect(String(error)).toMatch(message)
  expect((await readdir(cacheFolder)).filter(name => name !== 'hashes')).toEqual([])
})

it('rejects a path without a model', async () => {
  await expect(prepareModel({ path: join(folder, 'none'), quantization: 'auto', cacheFolder })).rejects.toThrow(
    /none: no such file or folder/
  )
  await expect(prepareModel({ path: folder, quantization: 'auto', cacheFolder })).rejects.toThrow(/holds no \.gguf or \.safetensors file/)
})
