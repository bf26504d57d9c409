import fc from 'fast-check'
import type { ChoiceEnd, LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { CompletionView } from '../../../src/routes/completions/view.ts'
import { finished } from '../literal-parts.ts'

export const VIEW: CompletionView = {
  id: 'cmpl-1',
  created: 1_700_000_000,
  model: 'tiny',
  systemFingerprint: 'fp_1',
  promptCount: 1,
  choicesPerPrompt: 1,
  computedPerPrompt: 1,
  scoresOnly: false,
  topLogprobs: null,
  echo: false,
  promptLogprobs: null,
  tokensAsIds: false,
  includeUsage: false,
  promptTokens: null,
  withTimings: false,
  tokenIds: null
}

export const USAGE = { promptTokens: 2, completionTokens: 1, cachedTokens: 1 }

const score = fc.record({
  tokenId: fc.nat(255),
  text: fc.string({ maxLength: 3 }),
  logprob: fc.option(fc.constantFrom(-0.5, -1.25, Number.NEGATIVE_INFINITY), { freq: 5 }),
  top: fc.array(fc.record({ tokenId: fc.nat(255), text: fc.string({ maxLength: 2 }), logprob: fc.constantFrom(-0.5, -3) }), {
    maxLength: 3
  }),
  textOffset: fc.nat(1000)
})

const end: fc.Arbitrary<ChoiceEnd> = fc.constantFrom(
  { reason: 'stop', stopString: null },
  { reason: 'stop', stopString: '\n' },
  { reason: 'length', stopString: null }
)

/**
 * A view, and a log that satisfies the contract: prompts before tokens, positions in order, choices interleaved
 * arbitrarily.
 */
export const story = fc
  .record({
    promptCount: fc.integer({ min: 1, max: 3 }),
    choicesPerPrompt: fc.integer({ min: 1, max: 4 }),
    isGreedy: fc.boolean(),
    scoresOnly: fc.boolean(),
    topLogprobs: fc.constantFrom(null, 0, 3),
    tokensAsIds: fc.boolean(),
    includeUsage: fc.boolean(),
    echo: fc.boolean(),
    ids: fc.boolean()
  })
  .chain(({ ids, isGreedy, ...shape }) => {
    const { echo, choicesPerPrompt } = shape
    const computedPerPrompt = isGreedy ? 1 : choicesPerPrompt
    const view = {
      ...VIEW,
      ...shape,
      computedPerPrompt,
      tokenIds: ids ? Array.from({ length: shape.promptCount }, (_, i) => [i, i + 1]) : null
    }
    const scores = (count: number) =>
      shape.topLogprobs !== null ? fc.array(score, { minLength: count, maxLength: count }) : fc.constant(null)
    const promptPart = (promptIndex: number): fc.Arbitrary<LoggedEvent> =>
      fc
        .tuple(fc.string({ maxLength: 3 }), scores(2))
        .map(([text, scored]) => ({ kind: 'prompt', promptIndex, tokenIds: [1, 2], text, scores: scored }))
    const prompts = fc.tuple(
      ...Array.from({ length: echo ? shape.promptCount : 0 }, (_, i) => fc.array(promptPart(i), { minLength: 1, maxLength: 2 }))
    )
    const choice = (index: number) =>
      fc.tuple(fc.array(fc.tuple(fc.string({ maxLength: 3 }), score), { minLength: 1, maxLength: 4 }), end).map(([tokens, how]) =>
        tokens.map(
          ([text, scored], position): LoggedEvent => ({
            kind: 'token',
            choice: index,
            position,
            tokenId: scored.tokenId,
            text,
            score: shape.topLogprobs !== null ? scored : null,
            end: position === tokens.length - 1 ? how : null
          })
        )
      )
    const choices = fc.tuple(...Array.from({ length: shape.scoresOnly ? 0 : shape.promptCount * computedPerPrompt }, (_, i) => choice(i)))
    return fc.tuple(prompts, choices, fc.infiniteStream(fc.nat(8))).map(([before, after, picks]) => {
      const events: LoggedEvent[] = [{ kind: 'started' }, ...before.flat(), ...interleaved(after, picks), finished(USAGE)]
      return { view, events }
    })
  })

function interleaved(rows: readonly (readonly LoggedEvent[])[], picks: Iterator<number>): LoggedEvent[] {
  const left = rows.map(row => [...row])
  const mixed: LoggedEvent[] = []
  while (left.some(row => row.length > 0)) {
    const open = left.filter(row => row.length > 0)
    const next = open[picks.next().value % open.length]?.shift()
    if (next !== undefined) mixed.push(next)
  }
  return mixed
}
