import type { TiktokenBPE } from 'js-tiktoken/lite'
import type { TextDecoderPort } from '../contract/token-text.ts'
import { mergeBytes, type Ranks } from './merge-bytes.ts'
import type { Tokenizer } from './tokenizer.ts'
import { Vocabulary } from './vocabulary.ts'

/** OpenAI's published encodings, as js-tiktoken ships them. */
export const TIKTOKEN_ENCODINGS = ['gpt2', 'r50k_base', 'p50k_base', 'cl100k_base', 'o200k_base'] as const
export type TiktokenEncodingName = (typeof TIKTOKEN_ENCODINGS)[number]

const RANKS: Readonly<Record<TiktokenEncodingName, () => Promise<{ readonly default: TiktokenBPE }>>> = {
  gpt2: () => import('js-tiktoken/ranks/gpt2'),
  r50k_base: () => import('js-tiktoken/ranks/r50k_base'),
  p50k_base: () => import('js-tiktoken/ranks/p50k_base'),
  cl100k_base: () => import('js-tiktoken/ranks/cl100k_base'),
  o200k_base: () => import('js-tiktoken/ranks/o200k_base')
}

/** Reads the ranks of an encoding, a second or less. */
export async function tokenizerFromTiktoken(name: TiktokenEncodingName): Promise<Tokenizer> {
  const ranks = await RANKS[name]()
  return new TiktokenTokenizer(ranks.default)
}

class TiktokenTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly endTokenIds: readonly number[]
  readonly #ranks: Ranks
  readonly #longestToken: number
  readonly #words: RegExp
  readonly #specials: ReadonlyMap<string, number>
  readonly #specialPattern: RegExp
  readonly #vocabulary: Vocabulary

  constructor({ pat_str, special_tokens, bpe_ranks }: TiktokenBPE) {
    const ranks = readRanks(bpe_ranks)
    const texts = new Map([...ranks].map(([text, tokenId]) => [tokenId, text]))
    const specialTexts = new Map(Object.entries(special_tokens).map(([text, tokenId]) => [tokenId, text]))
    const end = special_tokens['<|endoftext|>']
    this.#ranks = ranks
    this.#longestToken = largest(ranks.keys().map(text => text.length))
    this.#words = new RegExp(pat_str, 'gu')
    this.#specials = new Map(Object.entries(special_tokens))
    this.#specialPattern = new RegExp(
      `(${Object.keys(special_tokens)
        .map(text => RegExp.escape(text))
        .join('|')})`,
      'u'
    )
    this.vocabularySize = Math.max(largest(texts.keys()), largest(specialTexts.keys())) + 1
    this.endTokenIds = end === undefined ? [] : [end]
    this.#vocabulary = new Vocabulary({
      specialIds: new Set(specialTexts.keys()),
      endTokenIds: this.endTokenIds,
      bytesOf: tokenId => {
        const special = specialTexts.get(tokenId)
        return special === undefined ? Buffer.from(texts.get(tokenId) ?? '', 'latin1') : Buffer.from(special, 'utf8')
      }
    })
  }

  encode(text: string): number[] {
    const tokenIds: number[] = []
    for (const part of text.toWellFormed().split(this.#specialPattern)) {
      const special = this.#specials.get(part)
      if (special !== undefined) tokenIds.push(special)
      else for (const [word] of part.matchAll(this.#words)) this.#encodeWord(word, tokenIds)
    }
    return tokenIds
  }

  bytes(tokenId: number): Uint8Array {
    return this.#vocabulary.bytes(tokenId)
  }

  isSpecial(tokenId: number): boolean {
    return this.#vocabulary.isSpecial(tokenId)
  }

  decoder(options: { readonly skipSpecial: boolean }): TextDecoderPort {
    return this.#vocabulary.decoder(options)
  }

  #encodeWord(word: string, tokenIds: number[]): void {
    const bytes = Buffer.from(word, 'utf8').toString('latin1')
    const whole = this.#ranks.get(bytes)
    if (whole !== undefined) {
      tokenIds.push(whole)
      return
    }
    for (const tokenId of mergeBytes(bytes, this.#ranks, this.#longestToken)) tokenIds.push(tokenId)
  }
}

function largest(numbers: Iterable<number>): number {
  let most = 0
  for (const number of numbers) most = Math.max(most, number)
  return most
}

/** js-tiktoken's form: lines of `! <first rank> <token in base64> <token> …`. */
function readRanks(text: string): Map<string, number> {
  const ranks = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, first, ...tokens] = line.split(' ')
    tokens.forEach((token, index) => {
      ranks.set(Buffer.from(token, 'base64').toString('latin1'), Number(first) + index)
    })
  }
  return ranks
}
