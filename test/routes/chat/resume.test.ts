import { expect, it } from 'vitest'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { chatApi } from '../../../src/routes/chat/api.ts'
import { toStored } from '../../../src/routes/wire/dialect.ts'
import { VIEW as COMPLETION_VIEW } from '../completions/story.ts'
import { finished, readSse } from '../literal-parts.ts'
import { openStored } from '../streams/stored-stream.ts'
import { VIEW } from './a-view.ts'

const CALLING = { ...VIEW, toolCalls: 'hermes' } as const
const TEXTS = ['Now: <tool', '_call>{"name":"a"}</tool_call>', '<tool_call>{"name"', ':"b"}</tool_call>', '']
const EVENTS: readonly LoggedEvent[] = [
  ...TEXTS.map((text, position): LoggedEvent => {
    const end = position === TEXTS.length - 1 ? ({ reason: 'stop', stopString: null } as const) : null
    return { kind: 'token', choice: 0, position, tokenId: position, text, score: null, end }
  }),
  finished({ promptTokens: 1, completionTokens: 5, cachedTokens: 0 })
]

it('resumes a stream in the middle of a tool call with exactly the remaining chunks', async () => {
  const presentation = toStored({ dialect: chatApi.name, view: CALLING })
  const stored = { view: { ...COMPLETION_VIEW, id: CALLING.id }, events: EVENTS, delivery: { presentation } }
  const { app, get } = await openStored(stored, { dialects: [chatApi] })
  const all = readSse((await get()).body)
  expect(all.map(({ id }) => id)).toEqual([null, '1', '2', '4', '5', '6'])
  for (const after of [1, 2, 3, 4, 5]) {
    const rest = readSse((await get(`?starting_after=${after}`)).body)
    expect(rest).toEqual(all.filter(({ id }) => Number(id) > after))
  }
  await app.close()
})
