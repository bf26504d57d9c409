import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { QueueEvent } from '../../../src/queue/queue.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import type { CompletionView } from '../../../src/routes/completions/view.ts'
import { toSseBlocks } from '../../../src/routes/wire/stream/sse-blocks.ts'
import { VIEW as PLAIN_VIEW } from '../completions/story.ts'
import { finished } from '../literal-parts.ts'

const VIEW: CompletionView = { ...PLAIN_VIEW, includeUsage: true }

async function written(batches: readonly (readonly QueueEvent[])[]): Promise<string[]> {
  const blocks: string[] = []
  for await (const block of toSseBlocks(
    completionApi.presenter(VIEW),
    (async function* () {
      yield* batches
    })()
  )) {
    blocks.push(block)
  }
  return blocks
}

function log(texts: readonly string[]): QueueEvent[] {
  const tokens = texts.map(
    (text, position): LoggedEvent => ({ kind: 'token', choice: 0, position, tokenId: 1, text, score: null, end: null })
  )
  const events: LoggedEvent[] = [{ kind: 'started' }, ...tokens, finished({ promptTokens: 1, completionTokens: 1, cachedTokens: 0 })]
  return events.map((event, i) => ({ ordinal: i + 1, event }))
}

it('creates the same bytes however the log is split into batches', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 6 }),
      fc.array(fc.nat(8), { maxLength: 4 }),
      async (texts, cuts) => {
        const entries = log(texts)
        const edges = [0, ...cuts.toSorted((a, b) => a - b), entries.length]
        const batches = edges.slice(1).map((edge, i) => entries.slice(edges[i], edge))
        expect((await written(batches)).join('')).toBe((await written([entries])).join(''))
      }
    )
  )
})

it('creates one block per batch, and several for a long one', async () => {
  expect(await written([log(['a', 'b', 'c'])])).toHaveLength(1)
  expect((await written([log(Array.from({ length: 4 }, () => 'x'.repeat(65_536)))])).length).toBe(5)
})

it('puts each event on one line, whatever line ends its text contains', async () => {
  const text = 'a\nb\r\nc\rd\u2028e\u2029f\u0085g'
  const [block = ''] = await written([log([text])])
  const [, data = ''] = /^data: (.*)$/m.exec(block) ?? []
  expect(JSON.parse(data).choices[0].text).toBe(text)
  expect(block).not.toMatch(/[\r\u2028\u2029\u0085]/)
})

it('sends the position and estimated wait of a queued request', async () => {
  const waiting = (position: number, etaMs: number | null): QueueEvent => ({ ordinal: null, event: { kind: 'queued', position, etaMs } })
  expect(await written([[waiting(3, 1200.4)], [waiting(2, null)]])).toEqual([
    ': queued, position 3, eta 1200 ms\n',
    ': queued, position 2\n'
  ])
})
