import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LoggedEvent, TokenScore } from '../../../src/inference/contract/events.ts'
import { openCompletion } from '../../../src/routes/completions/answer.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { toChunks } from '../../../src/routes/completions/present.ts'
import type { Completion, CompletionChoice } from '../../../src/routes/completions/schema.ts'
import type { CompletionView } from '../../../src/routes/completions/view.ts'
import { jsonPieces } from '../../../src/routes/wire/json/json-pieces.ts'

import { finished } from '../literal-parts.ts'
import { story, USAGE, VIEW } from './story.ts'

it('has the same content in chunks and as a whole response', () => {
  fc.assert(
    fc.property(story, ({ view, events }) => {
      const chunks = events.flatMap(event => [...toChunks(view, event)])
      expect(concatenated(view, chunks)).toEqual(whole(view, events).choices)
    })
  )
})

it('creates no empty chunk, and sorts the choices of each', () => {
  fc.assert(
    fc.property(story, ({ view, events }) => {
      for (const chunk of events.flatMap(event => [...toChunks(view, event)])) {
        expect(chunk.choices.length).toBeGreaterThan(0)
        expect(chunk.choices.map(choice => choice.index)).toEqual(chunk.choices.map(choice => choice.index).toSorted((a, b) => a - b))
        for (const { text, logprobs, finish_reason, token_ids } of chunk.choices) {
          expect(text !== '' || logprobs !== null || finish_reason !== null || token_ids !== undefined).toBe(true)
        }
      }
    })
  )
})

/** The choices that a client assembles from a stream. */
function concatenated(view: CompletionView, chunks: readonly Completion[]): CompletionChoice[] {
  return Array.from({ length: view.promptCount * view.choicesPerPrompt }, (_, index) => {
    const parts = chunks.flatMap(chunk => chunk.choices.filter(choice => choice.index === index))
    const scored = parts.flatMap(part => (part.logprobs === null ? [] : [part.logprobs]))
    const promptIds = parts.flatMap(part => (part.prompt_token_ids === undefined ? [] : [part.prompt_token_ids]))
    expect(promptIds.length).toBe(view.tokenIds === null ? 0 : 1)
    return {
      text: parts.map(part => part.text).join(''),
      index,
      logprobs:
        view.topLogprobs !== null
          ? {
              tokens: scored.flatMap(one => one.tokens),
              token_logprobs: scored.flatMap(one => one.token_logprobs),
              top_logprobs: scored.flatMap(one => one.top_logprobs),
              text_offset: scored.flatMap(one => one.text_offset)
            }
          : null,
      finish_reason: parts.at(-1)?.finish_reason ?? null,
      stop_reason: parts.at(-1)?.stop_reason ?? null,
      ...(view.tokenIds !== null && { token_ids: parts.flatMap(part => part.token_ids ?? []), prompt_token_ids: promptIds[0] })
    }
  })
}

/** A whole response as it is serialized. */
function whole(view: CompletionView, events: readonly LoggedEvent[]): Completion {
  const completion = openCompletion(view)
  for (const event of events) completion.push(event)
  return JSON.parse([...jsonPieces(completion.toResponse())].join(''))
}

/** The chunk of an event, if there is one. */
function toChunk(view: CompletionView, event: LoggedEvent): Completion | undefined {
  const chunks = [...toChunks(view, event)]
  expect(chunks.length).toBeLessThan(2)
  return chunks[0]
}

const token = (changes: object): LoggedEvent => ({
  kind: 'token',
  choice: 0,
  position: 0,
  tokenId: 7,
  text: 'a',
  score: null,
  end: null,
  ...changes
})

it('has OpenAI’s shape, except for stop_reason', () => {
  expect(whole(VIEW, [token({ end: { reason: 'length', stopString: null } }), finished(USAGE)])).toEqual({
    id: 'cmpl-1',
    object: 'text_completion',
    created: 1_700_000_000,
    model: 'tiny',
    system_fingerprint: 'fp_1',
    choices: [{ text: 'a', index: 0, logprobs: null, finish_reason: 'length', stop_reason: null }],
    usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3, prompt_tokens_details: { cached_tokens: 1 } }
  })
})

it('writes usage null into every chunk before the usage chunk', () => {
  expect(toChunk({ ...VIEW, includeUsage: true }, token({}))).toHaveProperty('usage', null)
  expect(toChunk(VIEW, token({}))).not.toHaveProperty('usage')
})

it('adds an echoed prompt to all of its choices in one chunk', () => {
  const view = { ...VIEW, echo: true, promptCount: 2, choicesPerPrompt: 2, computedPerPrompt: 2 }
  const chunk = toChunk(view, { kind: 'prompt', promptIndex: 1, tokenIds: [1], text: 'hi', scores: null })
  expect(chunk?.choices.map(({ index, text }) => [index, text])).toEqual([
    [2, 'hi'],
    [3, 'hi']
  ])
})

it('ends every choice with `length` when max_tokens is 0', () => {
  const view = { ...VIEW, promptCount: 2, scoresOnly: true }
  expect(whole(view, [finished(USAGE)]).choices.map(choice => [choice.text, choice.finish_reason])).toEqual([
    ['', 'length'],
    ['', 'length']
  ])
  expect(toChunk(view, finished(USAGE))?.choices.map(choice => choice.finish_reason)).toEqual(['length', 'length'])
})

it('returns the stop string that ended a choice', () => {
  expect(toChunk(VIEW, token({ end: { reason: 'stop', stopString: '##' } }))?.choices[0]).toMatchObject({
    finish_reason: 'stop',
    stop_reason: '##'
  })
})

it('lists generated ids only, and the prompt ids separately and once', () => {
  const view = { ...VIEW, tokenIds: [[1, 2]] }
  const events = [token({ text: '' }), token({ position: 1, tokenId: 8, end: { reason: 'length', stopString: null } }), finished(USAGE)]
  expect(whole(view, events).choices[0]).toMatchObject({ token_ids: [7, 8], prompt_token_ids: [1, 2] })
  expect(events.map(event => toChunk(view, event)?.choices[0]?.prompt_token_ids)).toEqual([[1, 2], undefined, undefined])
})

const scoreOf = (changes: Partial<TokenScore>): TokenScore => ({ tokenId: 7, text: 'a', logprob: -2, top: [], textOffset: 3, ...changes })

it.each([
  { name: 'with no alternatives', given: {}, top: { a: -2 } },
  { name: 'beside the likeliest', given: { top: [{ tokenId: 1, text: 'b', logprob: -1 }] }, top: { b: -1, a: -2 } },
  {
    name: 'before another of the same text',
    given: { top: [{ tokenId: 1, text: 'a', logprob: -1 }] },
    top: { a: -2 }
  },
  {
    name: 'next to collapsed alternatives, the likelier of which stays',
    given: {
      top: [
        { tokenId: 1, text: 'b', logprob: -1 },
        { tokenId: 2, text: 'b', logprob: -1.5 }
      ]
    },
    top: { b: -1, a: -2 }
  },
  { name: 'under a hostile name', given: { text: '__proto__' }, top: JSON.parse('{"__proto__":-2}') },
  { name: 'as -9999 where it is impossible', given: { logprob: Number.NEGATIVE_INFINITY }, top: { a: -9999 } },
  { name: 'as null where nothing predicts it', given: { logprob: null }, top: null }
])('reports the token itself $name', ({ given, top }) => {
  const logprobs = toChunk({ ...VIEW, topLogprobs: 5 }, token({ score: scoreOf(given) }))?.choices[0]?.logprobs
  expect(JSON.stringify(logprobs?.top_logprobs)).toBe(JSON.stringify([top]))
  const own = top === null ? null : top[given.text ?? 'a']
  expect(logprobs).toMatchObject({ tokens: [given.text ?? 'a'], token_logprobs: [own], text_offset: [3] })
})

const LENGTH = { reason: 'length', stopString: null } as const

it('returns the best candidates in the order of their ranking, without the scores that only the ranking needs', () => {
  const view = { ...VIEW, promptCount: 2, choicesPerPrompt: 2, computedPerPrompt: 3 }
  const tokens = Array.from({ length: 6 }, (_, choice) => token({ choice, text: `c${choice}`, score: scoreOf({}), end: LENGTH }))
  const events = [...tokens, { ...finished(USAGE), ranking: [2, 0, 4, 5] }]
  expect(whole(view, events).choices.map(({ index, text, logprobs }) => ({ index, text, logprobs }))).toEqual(
    ['c2', 'c0', 'c4', 'c5'].map((text, index) => ({ index, text, logprobs: null }))
  )
  expect(whole(view, tokens).choices.map(({ index, text }) => [index, text])).toEqual(['c0', 'c1', 'c3', 'c4'].map((text, i) => [i, text]))
})

it('returns the stop token that ended a choice', () => {
  const end = { reason: 'stop', stopString: null, stopTokenId: 9 }
  expect(toChunk(VIEW, token({ end }))?.choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: 9 })
})

it('has the scores of an echoed prompt in prompt_logprobs, without the prompt in the text', () => {
  const scores = [
    scoreOf({ logprob: null }),
    scoreOf({ tokenId: 8, text: 'b', logprob: -3, rank: 4, top: [{ tokenId: 1, text: 'x', logprob: -1 }] })
  ]
  const prompt: LoggedEvent = { kind: 'prompt', promptIndex: 0, tokenIds: [7, 8], text: 'ab', scores }
  const events = [prompt, token({ end: LENGTH }), finished(USAGE)]
  const [scored] = whole({ ...VIEW, promptLogprobs: 1 }, events).choices
  expect(scored).toMatchObject({
    text: 'a',
    logprobs: null,
    prompt_logprobs: [null, { 1: { logprob: -1, rank: 1, decoded_token: 'x' }, 8: { logprob: -3, rank: 4, decoded_token: 'b' } }]
  })
  const [echoed] = whole({ ...VIEW, echo: true, topLogprobs: 1 }, events).choices
  expect(echoed).toMatchObject({ text: 'aba', logprobs: { token_logprobs: [null, -3], top_logprobs: [null, { x: -1, b: -3 }] } })
})

it('names tokens by their ids if requested', () => {
  const view = { ...VIEW, topLogprobs: 1, tokensAsIds: true }
  const score = scoreOf({ top: [{ tokenId: 1, text: 'a', logprob: -1 }] })
  expect(toChunk(view, token({ score }))?.choices[0]?.logprobs).toMatchObject({
    tokens: ['token_id:7'],
    top_logprobs: [{ 'token_id:1': -1, 'token_id:7': -2 }]
  })
})

it('contains the usage of the choice so far in each chunk, if requested', () => {
  const view = { ...VIEW, includeUsage: true, promptTokens: [5, 6], promptCount: 2 }
  expect(toChunk(view, token({ choice: 1, position: 2 }))?.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 3, total_tokens: 9 })
})

it('contains timings in a whole response and in the last chunk of a stream', () => {
  const view = { ...VIEW, withTimings: true }
  const timings = { queue_ms: 1, prefill_ms: 2, decode_ms: 3, prefill_ms_per_token: 2, decode_ms_per_token: 3 }
  expect(whole(view, [finished(USAGE)]).timings).toEqual(timings)
  expect([...completionApi.presenter(view).chunks(finished(USAGE))]).toEqual([expect.objectContaining({ choices: [], timings })])
  expect(whole(VIEW, [finished(USAGE)])).not.toHaveProperty('timings')
})
