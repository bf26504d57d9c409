import { access } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { parseConfigJson, readConfigJson } from '../families/definition/config-json.ts'
import { readJson } from '../tokenizer/model-files/folder-files.ts'
import { openGguf } from '../weights/gguf.ts'
import type { ModelFiles } from './model-files.ts'

/** Metadata in a model's files, by the names used there. */
export interface ModelMetadata {
  /** The first of these names that the files contain, and its value. */
  find(...names: readonly string[]): { readonly name: string; readonly value: unknown } | null
  /** The file that contains the names. */
  readonly sourceName: string
  readonly tokenizer: { readonly kind: string; readonly source: string }
  /** The field or file that contains a chat template; null if there is none. */
  readonly chatTemplate: string | null
}

/** @throws {ModelFileError} a file is missing or broken */
export async function readModelMetadata(files: ModelFiles): Promise<ModelMetadata> {
  return files.kind === 'gguf' ? ofGguf(files.weights) : ofFolder(files.config)
}

async function ofGguf(path: string): Promise<ModelMetadata> {
  await using file = await openGguf(path)
  const { metadata } = file
  const scheme = metadata.get('tokenizer.ggml.model')
  const words = { gpt2: 'byte-level BPE', llama: 'SentencePiece' }
  const kind = scheme === 'gpt2' || scheme === 'llama' ? words[scheme] : `${scheme ?? 'none'}, which is not supported`
  const split = metadata.get('tokenizer.ggml.pre')
  return {
    find: finderIn(metadata),
    sourceName: 'GGUF',
    tokenizer: { kind: typeof split === 'string' ? `${kind}, words as ${split}` : kind, source: 'GGUF tokenizer.ggml.model' },
    chatTemplate: metadata.has('tokenizer.chat_template') ? 'GGUF tokenizer.chat_template' : null
  }
}

async function ofFolder(config: string): Promise<ModelMetadata> {
  const folder = dirname(config)
  const values = parseConfigJson(config, await readConfigJson(config), z.record(z.string(), z.unknown()))
  return {
    find: finderIn(new Map(Object.entries(values))),
    sourceName: 'config.json',
    tokenizer: await tokenizerIn(folder),
    chatTemplate: await chatTemplateIn(folder)
  }
}

function finderIn(values: ReadonlyMap<string, unknown>): ModelMetadata['find'] {
  return (...names) => {
    const name = names.find(each => values.has(each) && values.get(each) !== null)
    return name === undefined ? null : { name, value: values.get(name) }
  }
}

const TokenizerJson = z.looseObject({ model: z.looseObject({ type: z.string().optional() }) })

async function tokenizerIn(folder: string): Promise<ModelMetadata['tokenizer']> {
  const json = await readOrNull(join(folder, 'tokenizer.json'))
  if (json !== null)
    return { kind: TokenizerJson.safeParse(json).data?.model.type ?? 'of no stated type', source: 'tokenizer.json model.type' }
  const [hasVocabulary, hasMerges] = await Promise.all(['vocab.json', 'merges.txt'].map(name => exists(join(folder, name))))
  if (hasVocabulary && hasMerges) return { kind: 'byte-level BPE', source: 'vocab.json and merges.txt' }
  return { kind: 'none in the folder', source: 'where the vocabulary is of a known encoding (GPT-2 and later), that one is taken' }
}

async function chatTemplateIn(folder: string): Promise<string | null> {
  if (await exists(join(folder, 'chat_template.jinja'))) return 'chat_template.jinja'
  const settings = z.looseObject({ chat_template: z.unknown() }).safeParse(await readOrNull(join(folder, 'tokenizer_config.json'))).data
  return settings?.chat_template === undefined || settings.chat_template === null ? null : 'tokenizer_config.json chat_template'
}

/** Null also for a file that the tokenizer would refuse: a description mentions what can be read. */
async function readOrNull(path: string): Promise<unknown> {
  return readJson(path).catch(() => null)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}
