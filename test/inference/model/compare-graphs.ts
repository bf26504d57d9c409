import { createHash } from 'node:crypto'
import { createReadStream, globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import type { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import { TINY_LLAMA } from '../graph/tiny-llama.ts'
import { type TinyGguf, writeTinyGguf } from './tiny-gguf.ts'

const USAGE = `Builds the graph of every fixture and downloaded model with two checkouts, and compares the files byte by byte.

Usage: npm run compare:graphs -- <other checkout> [<model> ...]

Models: the other checkout's test/fixtures/families, tiny GGUF files, models/*/*.gguf, and the models named.
Exits with 1 if any file or description differs.`

const HERE = join(import.meta.dirname, '../../..')

const TINY_GGUFS: Readonly<Record<string, TinyGguf>> = {
  floats: {},
  q8: { type: 'Q8_0' },
  'head-and-biases': { extras: ['head', 'biases'] },
  frequencies: { config: { ...TINY_LLAMA, rotary: { ...TINY_LLAMA.rotary, frequencyDivisors: [1, 1, 1.5, 2, 4, 8, 8, 8] } } },
  'partial-rotary': { config: { ...TINY_LLAMA, headDim: 32 }, metadata: [{ key: 'llama.attention.key_length', u32: 32 }] },
  'linear-scaling': {
    metadata: [
      { key: 'llama.rope.scaling.type', string: 'linear' },
      { key: 'llama.rope.scaling.factor', f32: 4 }
    ]
  }
}

const [other, ...named] = process.argv.slice(2)
if (other === undefined || other.startsWith('-')) {
  console.log(USAGE)
  process.exit(2)
}
const work = await mkdtemp(join(tmpdir(), 'compare-graphs-'))
try {
  const models = [...fixtures(other), ...(await tinyGgufs(work)), ...globSync(join(HERE, 'models/*/*.gguf')), ...named]
  let differences = 0
  for (const model of models) {
    for (const quantization of ['none', 'int8', 'auto'] as const) {
      const [ours, theirs] = [await build(HERE, model, quantization), await build(other, model, quantization)]
      const isSame = ours === theirs
      if (!isSame) differences += 1
      console.log(
        `${isSame ? 'same' : 'DIFFERS'}  ${basename(model)} ${quantization}  ${ours}${isSame ? '' : `\n${' '.repeat(9)}${theirs}`}`
      )
    }
  }
  console.log(`${models.length} models, ${differences} differences`)
  process.exitCode = differences === 0 ? 0 : 1
} finally {
  await rm(work, { recursive: true })
}

function fixtures(checkout: string): string[] {
  return globSync('test/fixtures/families/*/expected.json', { cwd: checkout })
    .toSorted()
    .map(expected => resolve(checkout, dirname(expected)))
}

async function tinyGgufs(folder: string): Promise<string[]> {
  const paths: string[] = []
  for (const [name, options] of Object.entries(TINY_GGUFS)) {
    const path = join(folder, `${name}.gguf`)
    await writeTinyGguf(path, options)
    paths.push(path)
  }
  return paths
}

/** The description of a model and the hash of each file that a checkout builds, or its error message. */
async function build(checkout: string, path: string, quantization: 'none' | 'int8' | 'auto'): Promise<string> {
  const module = pathToFileURL(resolve(checkout, 'src/inference/model/prepare-model.ts')).href
  const { prepareModel: prepare } = (await import(module)) as { prepareModel: typeof prepareModel }
  const cacheFolder = await mkdtemp(join(work, 'graphs-'))
  try {
    const { graphPath, sourcePath: _, ...description } = await prepare({ path, quantization, cacheFolder })
    const files = globSync('*.{onnx,bin}', { cwd: dirname(graphPath) }).toSorted()
    const hashes = await Promise.all(files.map(async file => `${file} ${await sha256(join(dirname(graphPath), file))}`))
    return `${JSON.stringify(description)} ${hashes.join(' ')}`
  } catch (error) {
    return String(error)
  } finally {
    await rm(cacheFolder, { recursive: true })
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
