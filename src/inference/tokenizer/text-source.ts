import { ServiceError } from '../contract/errors.ts'
import { tokenizerFromFolder } from './folder-tokenizer.ts'
import { tokenizerFromGguf } from './gguf-tokenizer.ts'

/** Where a tokenizer comes from; crosses to a thread. */
export type TextSource =
  | { readonly kind: 'gguf'; readonly metadata: ReadonlyMap<string, unknown> }
  | { readonly kind: 'folder'; readonly path: string }
  /** UTF-8 bytes as ids 0..255, for the simulated engine. */
  | { readonly kind: 'bytes'; readonly vocabularySize: number }

/** All that the API process needs of a tokenizer. */
export interface Encoder {
  readonly vocabularySize: number
  encode(text: string): ArrayLike<number>
}

/** @throws {ServiceError} `unavailable` when the source cannot be read */
export async function openEncoder(source: TextSource): Promise<Encoder> {
  switch (source.kind) {
    case 'gguf':
      return tokenizerFromGguf(source.metadata)
    case 'folder':
      return tokenizerFromFolder(source.path)
    case 'bytes':
      return { vocabularySize: source.vocabularySize, encode: text => new TextEncoder().encode(text) }
    default:
      source satisfies never
      throw new ServiceError('unavailable', 'an unknown source of text')
  }
}
