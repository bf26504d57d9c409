import fc from 'fast-check'
import type { ChoiceEnd, LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { ChatView } from '../../../src/routes/chat/view.ts'
import { finished } from '../literal-parts.ts'
import { VIEW } from './a-view.ts'

export const USAGE = { promptTokens: 2, completionTokens: 1, cachedTokens: 1 }

const PIECES = ['<tool_call>', '</tool_call>', '{"name":"dice","arguments":{}}', '<tool', '_call>', ' ', 'é', 'ab', '']

/** A view, and a log that satisfies the contract, with choices interleaved arbitrarily. */
export const story = fc
  .record({
    choices: fc.integer({ min: 1, max: 4 }),
    areEqual: fc.boolean(),
    toolCalls: fc.constantFrom(null, 'hermes' as const),
    parallelToolCalls: fc.boolean(),
    withLogprobs: fc.boolean(),
    includeUsage: fc.boolean(),
    tokensAsIds: fc.boolean(),
    promptTokens: fc.constantFrom(null, 2),
    withTimings: fc.boolean(),
    promptTokenIds: fc.constantFrom(null, [1, 2])
  })
  .chain(shape => {
    const step = fc.record({ choice: fc.nat(shape.areEqual ? 0 : shape.choices - 1), text: fc.constantFrom(...PIECES) })
    return fc.record({
      view: fc.constant<ChatView>({ ...VIEW, ...shape }),
      steps: fc.array(step, { minLength: 1, maxLength: 20 }),
      how: fc.constantFrom<ChoiceEnd>(
        { reason: 'stop', stopString: null },
        { reason: 'stop', stopString: '##' },
        { reason: 'length', stopString: null }
      )
    })
  })
  .map(({ view, steps, how }) => {
    const positions = new Map<number, number>()
    const lastOf = new Map(steps.map(({ choice }, at) => [choice, at]))
    const events = steps.map(({ choice, text }, at): LoggedEvent => {
      const position = positions.get(choice) ?? 0
      positions.set(choice, position + 1)
      const score = view.withLogprobs ? { tokenId: at, text, logprob: -1 - at, top: [], textOffset: at } : null
      const end = lastOf.get(choice) === at ? how : null
      return { kind: 'token', choice, position, tokenId: at, text, score, end }
    })
    return { view, events: [...events, finished(USAGE)] }
  })
