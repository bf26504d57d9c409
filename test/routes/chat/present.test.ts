import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { chatApi } from '../../../src/routes/chat/api.ts'
import type { ChatView } from '../../../src/routes/chat/view.ts'
import { jsonPieces } from '../../../src/routes/wire/json/json-pieces.ts'
import { finished } from '../literal-parts.ts'
import { VIEW } from './a-view.ts'
import { story, USAGE } from './story.ts'

const HEAD = { id: 'chatcmpl-1', created: 1_700_000_000, model: 'tiny', system_fingerprint: 'fp_1' }

/** Tokens of choice 0, one text each. */
function emitting(...texts: readonly string[]): LoggedEvent[] {
  return texts.map((text, position) => ({
    kind: 'token',
    choice: 0,
    position,
    tokenId: 100 + position,
    text,
    score: null,
    end: position === texts.length - 1 ? { reason: 'stop', stopString: null } : null
  }))
}

function chunksOf(view: ChatView, events: readonly LoggedEvent[]): readonly object[] {
  const presenter = chatApi.presenter(view)
  return events.flatMap(event => [...presenter.chunks(event)])
}

function wholeOf(view: ChatView, events: readonly LoggedEvent[]): object {
  const answer = chatApi.presenter(view).open()
  for (const event of events) answer.push(event)
  return JSON.parse([...jsonPieces(answer.toResponse())].join(''))
}

it('streams the role first and alone, then texts, then the reason for the end, then usage', () => {
  const choice = { index: 0, logprobs: null, finish_reason: null, stop_reason: null }
  const head = { ...HEAD, object: 'chat.completion.chunk', usage: null }
  expect(chunksOf({ ...VIEW, includeUsage: true }, [...emitting('Hel', '', 'lo'), finished(USAGE)])).toEqual([
    { ...head, choices: [{ ...choice, delta: { role: 'assistant', content: '' } }] },
    { ...head, choices: [{ ...choice, delta: { content: 'Hel' } }] },
    { ...head, choices: [{ ...choice, delta: { content: 'lo' }, finish_reason: 'stop' }] },
    { ...head, choices: [], usage: expect.objectContaining({ prompt_tokens: 2, total_tokens: 3 }) }
  ])
})

it('has the shape of a chat completion as a whole response', () => {
  expect(wholeOf(VIEW, [...emitting('Hel', 'lo'), finished(USAGE)])).toEqual({
    ...HEAD,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Hello', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
        stop_reason: null
      }
    ],
    usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3, prompt_tokens_details: { cached_tokens: 1 } }
  })
})

it('returns log-probabilities with the bytes of their tokens, also of partial characters, and −9999 for −∞', () => {
  const top = [{ tokenId: 1, text: 'é', logprob: -0.5 }]
  const score = { tokenId: 2, text: 'bytes:\\xe2\\x80', logprob: Number.NEGATIVE_INFINITY, top, textOffset: 0 }
  const event: LoggedEvent = { kind: 'token', choice: 0, position: 0, tokenId: 2, text: '', score, end: null }
  expect(chunksOf({ ...VIEW, withLogprobs: true }, [event])).toMatchObject([
    { choices: [{ delta: { role: 'assistant' }, logprobs: null }] },
    {
      choices: [
        {
          logprobs: {
            content: [
              {
                token: 'bytes:\\xe2\\x80',
                logprob: -9999,
                bytes: [0xe2, 0x80],
                top_logprobs: [{ token: 'é', logprob: -0.5, bytes: [0xc3, 0xa9] }]
              }
            ]
          }
        }
      ]
    }
  ])
})

it('returns a choice that is computed once as every choice, whole and streamed', () => {
  const view = { ...VIEW, choices: 3, areEqual: true }
  const events = [...emitting('Hel', 'lo'), finished(USAGE)]
  const choices = choicesOf(wholeOf(view, events))
  expect(choices.map(({ index, message, finish_reason }) => [index, message.content, finish_reason])).toEqual(
    [0, 1, 2].map(index => [index, 'Hello', 'stop'])
  )
  expect(chunksOf(view, events).flatMap(choicesOf)).toMatchObject([
    ...[0, 1, 2].map(index => ({ index, delta: { role: 'assistant' } })),
    ...[0, 1, 2].map(index => ({ index, delta: { content: 'Hel' } })),
    ...[0, 1, 2].map(index => ({ index, delta: { content: 'lo' }, finish_reason: 'stop' }))
  ])
})

it('returns the stop token that ended a choice', () => {
  const event: LoggedEvent = {
    kind: 'token',
    choice: 0,
    position: 0,
    tokenId: 7,
    text: '',
    score: null,
    end: { reason: 'stop', stopString: null, stopTokenId: 7 }
  }
  expect(choicesOf(wholeOf(VIEW, [event]))).toMatchObject([{ finish_reason: 'stop', stop_reason: 7 }])
  expect(chunksOf(VIEW, [event]).flatMap(choicesOf).at(-1)).toMatchObject({ finish_reason: 'stop', stop_reason: 7 })
})

it('contains the usage so far in each chunk, and timings at the end', () => {
  const view = { ...VIEW, includeUsage: true, promptTokens: 2, withTimings: true }
  const chunks = chunksOf(view, [...emitting('a', 'b'), finished({ ...USAGE, completionTokens: 2 })])
  expect(chunks.map(chunk => (chunk as { usage: { total_tokens: number } }).usage.total_tokens)).toEqual([2, 3, 4, 4])
  expect(chunks.at(-1)).toMatchObject({ choices: [], timings: { queue_ms: 1, prefill_ms: 2, decode_ms: 3, decode_ms_per_token: 1.5 } })
  expect(wholeOf(view, [finished(USAGE)])).toMatchObject({ timings: { queue_ms: 1 } })
})

it('returns prompt logprobs next to the choices, and names tokens by their ids if requested', () => {
  const view = { ...VIEW, promptLogprobs: 1, tokensAsIds: true, withLogprobs: true }
  const top = [{ tokenId: 9, text: 'i', logprob: -0.5 }]
  const first = { tokenId: 8, text: 'h', logprob: null, top: [], textOffset: 0 }
  const second = { tokenId: 7, text: 'é', logprob: -2, top, rank: 3, textOffset: 1 }
  const prompt: LoggedEvent = { kind: 'prompt', promptIndex: 0, tokenIds: [8, 7], text: 'hé', scores: [first, second] }
  const token: LoggedEvent = { kind: 'token', choice: 0, position: 0, tokenId: 7, text: 'é', score: second, end: null }
  const prompt_logprobs = [
    null,
    { 7: { logprob: -2, rank: 3, decoded_token: 'token_id:7' }, 9: { logprob: -0.5, rank: 1, decoded_token: 'token_id:9' } }
  ]
  const named = [{ token: 'token_id:7', bytes: [0xc3, 0xa9], top_logprobs: [{ token: 'token_id:9' }] }]
  expect(wholeOf(view, [prompt, token])).toMatchObject({ prompt_logprobs, choices: [{ logprobs: { content: named } }] })
  expect(chunksOf(view, [prompt])).toMatchObject([{ choices: [], prompt_logprobs }])
})

const CALLS = emitting(
  'One moment',
  ' <tool',
  '_call>{"name":"a","arguments":{"x":1}}</tool_call>',
  '\n<tool_call>{"name":"b"}</tool_call>',
  ''
)

it('streams a call once it is complete, and ends with tool_calls', () => {
  const chunks = chunksOf({ ...VIEW, toolCalls: 'hermes' }, CALLS)
  const call = (index: number, name: string, given: string) => ({
    tool_calls: [{ index, id: expect.stringMatching(/^call_\w{24}$/), type: 'function', function: { name, arguments: given } }]
  })
  expect(chunks).toMatchObject([
    { choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: null }] },
    { choices: [{ delta: { content: 'One moment' }, finish_reason: null }] },
    { choices: [{ delta: call(0, 'a', '{"x":1}'), finish_reason: null }] },
    { choices: [{ delta: call(1, 'b', '{}'), finish_reason: null }] },
    { choices: [{ delta: {}, finish_reason: 'tool_calls' }] }
  ])
})

it('has null content with calls only, and the first call only without parallel_tool_calls', () => {
  const calls = emitting('<tool_call>{"name":"a"}</tool_call><tool_call>{"name":"b"}</tool_call>')
  expect(wholeOf({ ...VIEW, toolCalls: 'hermes', parallelToolCalls: false }, calls)).toMatchObject({
    choices: [{ message: { content: null, tool_calls: [{ function: { name: 'a' } }] }, finish_reason: 'tool_calls' }]
  })
})

it('uses the short call ids that Mistral’s template requires', () => {
  const calls = emitting('[{"name":"a","arguments":{}}]')
  expect(wholeOf({ ...VIEW, toolCalls: 'mistral' }, calls)).toMatchObject({
    choices: [{ message: { tool_calls: [{ id: expect.stringMatching(/^[0-9a-f]{9}$/) }] } }]
  })
})

interface Delta {
  readonly content?: string
  readonly tool_calls?: readonly { readonly id: string; readonly function: object }[]
}
interface Choice {
  readonly index: number
  readonly delta: Delta
  readonly message: Delta
  readonly logprobs: { readonly content: readonly object[] } | null
  readonly finish_reason: string | null
}
const choicesOf = (answer: object): readonly Choice[] => (answer as { choices: readonly Choice[] }).choices

it('has the same content whole as in the deltas of a stream', () => {
  fc.assert(
    fc.property(story, ({ view, events }) => {
      const streamed = chunksOf(view, events).flatMap(choicesOf)
      for (const { index, message, logprobs, finish_reason } of choicesOf(wholeOf(view, events))) {
        const mine = streamed.filter(choice => choice.index === index)
        expect(message.content ?? '').toBe(mine.map(({ delta }) => delta.content ?? '').join(''))
        const calls = mine.flatMap(({ delta }) => delta.tool_calls ?? [])
        expect((message.tool_calls ?? []).map(({ id, function: called }) => [id, called])).toEqual(
          calls.map(({ id, function: called }) => [id, called])
        )
        expect(logprobs?.content ?? []).toEqual(mine.flatMap(choice => choice.logprobs?.content ?? []))
        expect(finish_reason).toBe(mine.at(-1)?.finish_reason ?? null)
      }
    })
  )
})

it('continues after any entry exactly as the uninterrupted stream', () => {
  fc.assert(
    fc.property(story, fc.nat(20), ({ view, events }, cut) => {
      const resumed = chatApi.presenter(JSON.parse(JSON.stringify(view)))
      for (const event of events.slice(0, cut)) resumed.recall?.(event)
      const first = chunksOf(view, events.slice(0, cut))
      expect([...first, ...events.slice(cut).flatMap(event => [...resumed.chunks(event)])]).toEqual(chunksOf(view, events))
    })
  )
})
