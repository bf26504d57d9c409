import { join } from 'node:path'
import { z } from 'zod'
import { ServiceError } from '../../contract/errors.ts'
import { readJson, readText } from './folder-files.ts'

/** A model's chat templates and the tokens that they use. */
export interface ChatSource {
  /** Null when there is none. */
  readonly template: string | null
  /** Some models have a separate template for conversations with tools. */
  readonly toolTemplate: string | null
  readonly startToken: string | null
  readonly endToken: string | null
  readonly padToken: string | null
}

const TokenText = z.union([z.string(), z.looseObject({ content: z.string() }).transform(token => token.content)])
const NamedTemplates = z.array(z.object({ name: z.string(), template: z.string() }))
const TokenizerConfig = z.looseObject({
  chat_template: z.union([z.string(), NamedTemplates]).nullish(),
  bos_token: TokenText.nullish(),
  eos_token: TokenText.nullish(),
  pad_token: TokenText.nullish()
})

/**
 * Reads a checkpoint folder: tokenizer_config.json, and chat_template.jinja, which takes precedence.
 *
 * @throws {ServiceError} `unavailable` when a file is malformed
 */
export async function chatSourceOfFolder(folder: string): Promise<ChatSource> {
  const [json, file] = await Promise.all([readJson(join(folder, 'tokenizer_config.json')), readText(join(folder, 'chat_template.jinja'))])
  const { data, error } = TokenizerConfig.safeParse(json ?? {})
  if (error !== undefined) throw new ServiceError('unavailable', `tokenizer_config.json cannot be read: ${z.prettifyError(error)}`)
  const named = Array.isArray(data.chat_template) ? new Map(data.chat_template.map(({ name, template }) => [name, template])) : null
  const single = typeof data.chat_template === 'string' ? data.chat_template : null
  return {
    template: file ?? single ?? named?.get('default') ?? null,
    toolTemplate: file === null ? (named?.get('tool_use') ?? null) : null,
    startToken: data.bos_token ?? null,
    endToken: data.eos_token ?? null,
    padToken: data.pad_token ?? null
  }
}

/**
 * Reads the keys of a GGUF file. Source: ggml's GGUF specification, and llama.cpp's converter for named templates.
 */
export function chatSourceOfGguf(metadata: ReadonlyMap<string, unknown>): ChatSource {
  const text = (key: string): string | null => asText(metadata.get(key))
  const tokens = metadata.get('tokenizer.ggml.tokens')
  const token = (name: string): string | null => {
    const tokenId = metadata.get(`tokenizer.ggml.${name}_token_id`)
    return Array.isArray(tokens) && tokenId !== undefined ? asText(tokens[Number(tokenId)]) : null
  }
  return {
    template: text('tokenizer.chat_template'),
    toolTemplate: text('tokenizer.chat_template.tool_use'),
    startToken: token('bos'),
    endToken: token('eos'),
    padToken: token('padding')
  }
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
