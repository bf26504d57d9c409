import type { Tokenizer } from '../tokenizer.ts'
import { type WordListParts, WordListTokenizer } from '../word-list-tokenizer.ts'
import { type ChatSource, chatSourceOfFolder, chatSourceOfGguf } from './chat-source.ts'
import { tokenizerFromFolder } from './folder-tokenizer.ts'
import { tokenizerFromGguf } from './gguf-tokenizer.ts'

/** Where a model's tokenizer is read from, and the rows of the model's embedding. Plain data, sent to a thread. */
export type WeightsTextSource = (
  | { readonly kind: 'gguf'; readonly metadata: ReadonlyMap<string, unknown> }
  | { readonly kind: 'folder'; readonly path: string }
) & { readonly embeddingRows?: number }

export type TextSource =
  | WeightsTextSource
  /** For the simulated engine. */
  | ({ readonly kind: 'words' } & WordListParts)

/** @throws {ServiceError} `unavailable` when the source cannot be read */
export async function openTokenizer(source: TextSource): Promise<Tokenizer> {
  switch (source.kind) {
    case 'gguf':
      return tokenizerFromGguf(source.metadata, source.embeddingRows)
    case 'folder':
      return await tokenizerFromFolder(source.path, source.embeddingRows)
    case 'words':
      return new WordListTokenizer(source)
    default:
      return source satisfies never
  }
}

/** @throws {ServiceError} `unavailable` when the source cannot be read */
export async function openChatSource(source: TextSource): Promise<ChatSource> {
  switch (source.kind) {
    case 'gguf':
      return chatSourceOfGguf(source.metadata)
    case 'folder':
      return await chatSourceOfFolder(source.path)
    case 'words':
      return { template: source.chatTemplate, toolTemplate: null, startToken: null, endToken: null, padToken: null }
    default:
      return source satisfies never
  }
}
