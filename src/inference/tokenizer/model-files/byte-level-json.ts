import { z } from 'zod'
import { GPT2_WORDS, SINGLE_DIGITS, type WordSplit, wordPattern } from '../byte-pair/word-split.ts'
import { Vocab } from './hub-json.ts'
import type { TokenTable } from './within-embedding.ts'

const ByteLevel = z.object({ type: z.literal('ByteLevel'), add_prefix_space: z.literal(false), use_regex: z.boolean().default(true) })
const Digits = z.object({ type: z.literal('Digits'), individual_digits: z.literal(true) })
const Split = z.object({
  type: z.literal('Split'),
  pattern: z.object({ Regex: z.string() }),
  behavior: z.literal('Isolated'),
  invert: z.literal(false).default(false)
})
const Step = z.discriminatedUnion('type', [ByteLevel, Digits, Split])
const StartToken = z.object({ SpecialToken: z.object({ id: z.string() }) })
const Template = z.object({
  type: z.literal('TemplateProcessing'),
  single: z.tuple([StartToken, z.object({ Sequence: z.unknown() })]).or(z.tuple([z.object({ Sequence: z.unknown() })])),
  special_tokens: z.record(z.string(), z.object({ ids: z.array(z.int()) }))
})
const PostStep = z.discriminatedUnion('type', [z.object({ type: z.literal('ByteLevel') }), Template])
/** Published files have at most five. */
const MAX_STEPS = 64
const steps = <Item extends z.ZodType>(item: Item, list: string) =>
  z.union([
    item.transform(one => [one]),
    z
      .object({ type: z.literal('Sequence'), [list]: z.array(item).max(MAX_STEPS) })
      .transform(sequence => sequence[list] as z.output<Item>[])
  ])

/** A tokenizer.json that `byteLevelTokenizer` supports; @huggingface/tokenizers runs the others. */
const ByteLevelJson = z.object({
  model: z.object({
    type: z.literal('BPE').default('BPE'),
    vocab: Vocab,
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()]).transform(pair => pair.join(' '))])),
    unk_token: z.null().default(null),
    byte_fallback: z.literal(false).default(false),
    dropout: z.null().default(null),
    continuing_subword_prefix: z.enum(['']).nullish(),
    end_of_word_suffix: z.enum(['']).nullish(),
    ignore_merges: z.boolean().default(false)
  }),
  normalizer: z.object({ type: z.literal('NFC') }).nullish(),
  pre_tokenizer: steps(Step, 'pretokenizers'),
  post_processor: steps(PostStep, 'processors').nullish(),
  decoder: z.object({ type: z.literal('ByteLevel') }),
  added_tokens: z.array(
    z.object({
      id: z.int().min(0),
      content: z.string(),
      special: z.boolean(),
      normalized: z.boolean(),
      lstrip: z.literal(false).default(false),
      rstrip: z.literal(false).default(false),
      single_word: z.literal(false).default(false)
    })
  )
})
type ByteLevelJson = z.infer<typeof ByteLevelJson>

/** Null for a tokenizer.json that is not byte-level BPE, or has unsupported steps. */
export function byteLevelOfJson(json: unknown): (TokenTable & { readonly split: WordSplit }) | null {
  const { data } = ByteLevelJson.safeParse(json)
  if (data === undefined || !data.pre_tokenizer.some(step => step.type === 'ByteLevel')) return null
  if (data.normalizer && data.added_tokens.some(token => token.normalized)) return null
  const patterns = patternsOf(data)
  if (patterns === null) return null
  const tokens: (string | undefined)[] = []
  for (const [token, tokenId] of Object.entries(data.model.vocab)) tokens[tokenId] = token
  for (const { id, content } of data.added_tokens) tokens[id] = content
  return {
    tokens,
    merges: data.model.merges,
    split: { patterns, ...(data.normalizer && { normalization: 'NFC' }), ...(data.model.ignore_merges && { keepsWholeWords: true }) },
    literals: new Map(data.added_tokens.map(({ content, id }) => [content, id])),
    specialIds: new Set(data.added_tokens.filter(({ special }) => special).map(({ id }) => id)),
    startTokenIds: (data.post_processor ?? []).flatMap(step => (step.type === 'TemplateProcessing' ? startIds(step) : []))
  }
}

/** Null when a pattern is not a valid regular expression of JavaScript. */
function patternsOf({ pre_tokenizer }: ByteLevelJson): RegExp[] | null {
  try {
    return pre_tokenizer.flatMap(step => {
      if (step.type === 'Digits') return [wordPattern(SINGLE_DIGITS)]
      if (step.type === 'ByteLevel') return step.use_regex ? [wordPattern(GPT2_WORDS)] : []
      return [wordPattern(step.pattern.Regex)]
    })
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function startIds({ single, special_tokens }: z.infer<typeof Template>): number[] {
  const [first] = single
  return 'SpecialToken' in first ? (special_tokens[first.SpecialToken.id]?.ids ?? []) : []
}
