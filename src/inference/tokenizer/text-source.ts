import { tokenizerFromFolder } from './folder-tokenizer.ts'
import { tokenizerFromGguf } from './gguf-tokenizer.ts'
import type { Tokenizer } from './tokenizer.ts'

/** Where a model's tokenizer comes from; crosses to a thread. */
export type WeightsTextSource =
  | { readonly kind: 'gguf'; readonly metadata: ReadonlyMap<string, unknown> }
  | { readonly kind: 'folder'; readonly path: string }

export type TextSource =
  | WeightsTextSource
  /** UTF-8 bytes as ids 0..255, for the simulated engine. */
  | { readonly kind: 'bytes'; readonly vocabularySize: number }

/** All that the API process needs of a tokenizer. */
export interface Encoder {
  readonly vocabularySize: number
  encode(text: string): ArrayLike<number>
}

/** @throws {ServiceError} `unavailable` when the source cannot be read */
export async function openTokenizer(source: WeightsTextSource): Promise<Tokenizer> {
  return source.kind === 'gguf' ? tokenizerFromGguf(source.metadata) : tokenizerFromFolder(source.path)
}

/** @throws {ServiceError} `unavailable` when the source cannot be read */
export async function openEncoder(source: TextSource): Promise<Encoder> {
  if (source.kind !== 'bytes') return openTokenizer(source)
  return { vocabularySize: source.vocabularySize, encode: text => new TextEncoder().encode(text) }
}
