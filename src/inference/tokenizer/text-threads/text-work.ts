import type { Conversation, TextFacts } from '../../contract/text-port.ts'
import { ChatTemplate } from '../chat-template.ts'
import { fillInTheMiddleOf } from '../fill-in-the-middle.ts'
import { openChatSource, openTokenizer, type TextSource } from '../model-files/text-source.ts'
import type { TokenCountBound } from '../token-count-bound.ts'
import { tokenLabel } from '../token-label.ts'
import type { Tokenizer } from '../tokenizer.ts'

/** One unit of text work, sent to a thread. */
export type TextTask =
  | { readonly kind: 'encode'; readonly text: string; readonly addSpecialTokens: boolean }
  | { readonly kind: 'decode'; readonly tokenIds: readonly number[]; readonly skipSpecialTokens: boolean }
  | { readonly kind: 'labels'; readonly tokenIds: readonly number[] }
  /**
   * The conversation is JSON: structured cloning of a megabyte of small objects takes ten times as long as serializing
   * and parsing it.
   */
  | { readonly kind: 'chat'; readonly conversation: string }

export type TextResult =
  | { readonly kind: 'ids'; readonly tokenIds: Int32Array<ArrayBuffer> }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'labels'; readonly labels: readonly string[] }

/** Facts about a loaded source. Plain data. */
export interface LoadedText {
  readonly vocabularySize: number
  readonly facts: TextFacts
  readonly bound: TokenCountBound | null
}

export interface TextWork extends LoadedText {
  /** @throws {ServiceError} `invalid_request` from a chat template */
  run(task: TextTask): TextResult
}

/** @throws {ServiceError} `unavailable` when the source cannot be read */
export async function openTextWork(source: TextSource): Promise<TextWork> {
  const [tokenizer, chatSource] = await Promise.all([openTokenizer(source), openChatSource(source)])
  const chat = new ChatTemplate(chatSource)
  const { startToken, endToken, padToken } = chatSource
  const [firstEnd] = tokenizer.endTokenIds
  return {
    vocabularySize: tokenizer.vocabularySize,
    bound: tokenizer.bound,
    facts: {
      startToken,
      endToken: endToken ?? (firstEnd === undefined ? null : tokenLabel(tokenizer, firstEnd)),
      padToken,
      chat: chat.facts,
      fillInTheMiddle: fillInTheMiddleOf(source, tokenizer),
      warnings: tokenizer.warnings
    },
    run(task) {
      switch (task.kind) {
        case 'encode':
          return { kind: 'ids', tokenIds: Int32Array.from(tokenizer.encode(task.text, task)) }
        case 'decode':
          return { kind: 'text', text: decode(tokenizer, task.tokenIds, task.skipSpecialTokens) }
        case 'labels':
          return { kind: 'labels', labels: task.tokenIds.map(tokenId => tokenLabel(tokenizer, tokenId)) }
        case 'chat':
          return { kind: 'text', text: chat.render(JSON.parse(task.conversation) as Conversation) }
        default:
          return task satisfies never
      }
    }
  }
}

function decode(tokenizer: Tokenizer, tokenIds: readonly number[], skipSpecial: boolean): string {
  const decoder = tokenizer.decoder({ skipSpecial })
  return tokenIds.map(tokenId => decoder.push(tokenId)).join('') + decoder.flush()
}
