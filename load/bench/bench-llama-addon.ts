import { readFile } from 'node:fs/promises'

/**
 * The measured part of node-llama-cpp's native addon: one call is one `llama_decode`, without sampling.
 */
export interface LlamaAddon {
  readonly AddonModel: new (
    path: string,
    options: { readonly addonExports: LlamaAddon; readonly gpuLayers: number; readonly useMmap: boolean }
  ) => LlamaModel
  readonly AddonContext: new (
    model: LlamaModel,
    options: {
      /** Sum over all sequences. */
      readonly contextSize: number
      readonly batchSize: number
      readonly sequences: number
      readonly flashAttention: 'auto'
      readonly threads: number
    }
  ) => LlamaContext
}

export interface LlamaModel {
  init(): Promise<boolean>
}

export interface LlamaContext {
  init(): Promise<boolean>
  initBatch(tokens: number): void
  /** @param logitIndices  indexes into `tokenIds` after which logits are computed */
  addToBatch(sequence: number, position: number, tokenIds: Uint32Array, logitIndices: Uint32Array): void
  decodeBatch(): Promise<void>
  disposeSequence(sequence: number): void
  /** @param to  exclusive; -1 is the end */
  removeTokenCellsFromSequence(sequence: number, from: number, to: number): boolean
  copySequenceStateFromOtherSequence(target: number, source: number): Promise<number>
}

interface Package {
  getLlama(options: { readonly gpu: false; readonly build: 'never'; readonly logLevel: 'error' }): Promise<{
    /** Missing in the package's types; exists in the pinned version. */
    readonly _bindings: LlamaAddon
    readonly llamaCppRelease: { readonly release: string }
    readonly systemInfo: string
  }>
}

const FOLDER = new URL('../peers/node_modules/node-llama-cpp/', import.meta.url)

/** @returns `missing` where load/peers is not installed */
export async function openLlamaAddon(): Promise<
  { readonly missing: string } | { readonly bindings: LlamaAddon; readonly versions: Readonly<Record<string, string>> }
> {
  const description = await readFile(new URL('package.json', FOLDER), 'utf8').catch(() => null)
  if (description === null) return { missing: 'no comparison: cd load/peers && npm install --ignore-scripts' }
  const { getLlama } = (await import(new URL('dist/index.js', FOLDER).href)) as Package
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' })
  return {
    bindings: llama._bindings,
    versions: {
      'node-llama-cpp': (JSON.parse(description) as { readonly version: string }).version,
      'llama.cpp': llama.llamaCppRelease.release,
      'llama.cpp on': llama.systemInfo
        .replaceAll(/ = 1 \||\|/g, ' ')
        .replaceAll(/\s+/g, ' ')
        .trim()
    }
  }
}
