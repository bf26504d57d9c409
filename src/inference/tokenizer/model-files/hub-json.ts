import { z } from 'zod'
import { ServiceError } from '../../contract/errors.ts'
import { mergeNames } from './within-embedding.ts'

/** Ids by token. Not `z.record`, which drops the key `__proto__`: that may be a token. */
export const Vocab = z.custom<Readonly<Record<string, number>>>(
  value => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(Number.isSafeInteger),
  'expected an object of token ids'
)
const AddedToken = z.looseObject({ id: z.int(), content: z.string() })
const Merge = z.union([z.string(), z.tuple([z.string(), z.string()])])
const Piece = z.tuple([z.string(), z.number()]).rest(z.unknown())

/** The fields that all kinds of tokenizer.json have in common. */
const HubJson = z.looseObject({
  model: z.looseObject({
    type: z.string().optional(),
    /** Ids by token; for Unigram a list, whose indices are the ids. */
    vocab: z.union([Vocab, z.array(Piece)]).optional(),
    merges: z.array(Merge).nullish()
  }),
  added_tokens: z.array(AddedToken).nullish(),
  decoder: z.looseObject({ type: z.string() }).nullish()
})
export type HubJson = z.infer<typeof HubJson>

/** Bounds tables that are indexed by id. The largest published vocabularies have 1,000,000 tokens. */
const MAX_TOKEN_ID = 2 ** 22 - 1

/**
 * The parsed content of a tokenizer.json, whose ids are bounded.
 *
 * @throws {ServiceError} `unavailable` when it is malformed
 */
export function parseHubJson(json: unknown): HubJson {
  const { data, error } = HubJson.safeParse(json)
  if (error !== undefined) throw new ServiceError('unavailable', `tokenizer.json cannot be read: ${z.prettifyError(error)}`)
  const beyond = hubTokens(data).find(([tokenId]) => tokenId < 0 || tokenId > MAX_TOKEN_ID)
  if (beyond === undefined) return data
  const [tokenId, text] = beyond
  const named = JSON.stringify(text.slice(0, 80))
  throw new ServiceError('unavailable', `tokenizer.json: token ${named} has the id ${tokenId}, must be from 0 to ${MAX_TOKEN_ID}`)
}

/** Every token and its id; a token that is in the vocabulary and added is listed twice. */
export function hubTokens({ model, added_tokens }: HubJson): readonly (readonly [tokenId: number, text: string])[] {
  const { vocab = {} } = model
  const own = Array.isArray(vocab)
    ? vocab.map(([text], tokenId) => [tokenId, text] as const)
    : Object.entries(vocab).map(([text, tokenId]) => [tokenId, text] as const)
  return [...own, ...(added_tokens ?? []).map(({ id, content }) => [id, content] as const)]
}

/** A copy without the tokens whose id is `rows` or more. */
export function hubJsonWithin(json: HubJson, rows: number): HubJson {
  const excluded = new Set(hubTokens(json).flatMap(([tokenId, text]) => (tokenId < rows ? [] : [text])))
  if (excluded.size === 0) return json
  const { model, added_tokens } = json
  const { vocab, merges } = model
  return {
    ...json,
    model: {
      ...model,
      ...(Array.isArray(vocab) && { vocab: vocab.slice(0, rows) }),
      ...(vocab !== undefined &&
        !Array.isArray(vocab) && { vocab: Object.fromEntries(Object.entries(vocab).filter(([, tokenId]) => tokenId < rows)) }),
      ...(merges != null && { merges: merges.filter(merge => !mergeNames(typeof merge === 'string' ? merge : merge.join(' '), excluded)) })
    },
    ...(added_tokens != null && { added_tokens: added_tokens.filter(({ id }) => id < rows) })
  }
}
