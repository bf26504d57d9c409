import { describe, expect, it } from 'vitest'
import { isTerminal } from '../../../src/inference/contract/events.ts'
import { alone, byChoice, EngineHarness, GREEDY, request } from './engine-harness.ts'

it('emits no event of a cancelled request, and frees its row before the next step', async () => {
  const harness = new EngineHarness({ slots: 1 })
  harness.engine.submit(request('gone', [5, 6, 7], { ignoreEos: true, maxNewTokens: 200 }))
  await harness.until(() => harness.events('gone').length > 5)
  harness.engine.cancel('gone')
  const emitted = harness.events('gone').length
  const stepsBefore = harness.runner.steps.length
  await harness.run(request('next', [7, 6, 5], { maxNewTokens: 1 }))
  expect(harness.events('gone')).toHaveLength(emitted)
  expect(harness.runner.steps.length - stepsBefore).toBeLessThanOrEqual(2)
  await harness.engine.close()
})

it('fails the requests of a failed run, and serves the next', async () => {
  const harness = new EngineHarness({ slots: 2 })
  harness.engine.submit(request('victim', [5, 6, 7], { ignoreEos: true, maxNewTokens: 200 }))
  await harness.until(() => harness.events('victim').length > 3)
  harness.runner.failNext = true
  const events = await harness.ended('victim')
  expect(events.at(-1)).toEqual({
    kind: 'failed',
    failure: { code: 'engine_failure', message: 'the fake fails on request', param: null }
  })
  expect((await harness.run(request('next', [7, 6, 5]))).at(-1)).toMatchObject({ kind: 'finished' })
  await harness.engine.close()
})

describe('a request whose logits are not numbers', () => {
  const BROKEN = 30
  const NOT_A_NUMBER = { kind: 'failed', failure: { code: 'engine_failure', param: null } }
  const prompt = Array.from({ length: 70 }, (_, index) => 6 + (index % 24))
  const other = request('other', [5, 6, 7], {
    ignoreEos: true,
    maxNewTokens: 60,
    sampling: { ...GREEDY, logitBias: [[BROKEN, -100]] }
  })

  /** From the first token, from a later token, in one of several choices, and in the scores of the prompt. */
  const broken = {
    first: request('broken', [BROKEN, ...prompt]),
    later: request('broken', prompt, { maxNewTokens: 40, ignoreEos: true, sampling: { ...GREEDY, logitBias: [[BROKEN, 100]] } }),
    wide: request('broken', [BROKEN, ...prompt], { choicesPerPrompt: 3, sampling: { ...GREEDY, temperature: 1 } }),
    scored: request('broken', [BROKEN, ...prompt], { echo: true, promptLogprobs: 1 })
  }

  it.each(Object.entries(broken))('fails alone (%s), without effect on other requests', async (_, generation) => {
    const undisturbed = await alone(other)
    const harness = new EngineHarness()
    harness.runner.brokenBy = BROKEN
    harness.engine.submit(other)
    await harness.until(() => harness.events('other').length > 3)
    const events = await harness.run(generation)
    expect(events.filter(isTerminal)).toEqual([expect.objectContaining({ kind: 'failed' })])
    expect(events.at(-1)).toMatchObject(NOT_A_NUMBER)
    expect(byChoice(await harness.ended('other'))).toEqual(byChoice(undisturbed))
    expect(harness.engine.statistics.gauges).toMatchObject({ decodingRows: 0, reservedTokens: 0 })
    await harness.engine.close()
  })

  it('leaves nothing of its cache to other requests', async () => {
    const harness = new EngineHarness()
    harness.runner.brokenBy = BROKEN
    await harness.run(broken.first)
    harness.runner.brokenBy = Number.NaN
    const again = await harness.run({ ...broken.first, id: 'again' })
    expect(again.at(-1)).toMatchObject({ kind: 'finished', usage: { cachedTokens: 0 } })
    await harness.engine.close()
  })
})

it('ends with length at the last allowed token, and counts it', async () => {
  const harness = new EngineHarness()
  const events = await harness.run(request('five', [5, 6, 7], { ignoreEos: true, maxNewTokens: 5 }))
  const tokens = events.filter(event => event.kind === 'token')
  expect(tokens).toHaveLength(5)
  expect(tokens.map(token => token.end)).toEqual([null, null, null, null, { reason: 'length', stopString: null }])
  expect(events.at(-1)).toMatchObject({ kind: 'finished', usage: { promptTokens: 3, completionTokens: 5 } })
  await harness.engine.close()
})

it('ends with stop at the end token, whose text is not emitted', async () => {
  const harness = new EngineHarness()
  const events = await harness.run(request('eos', [5, 6, 7], { sampling: { ...GREEDY, logitBias: [[2, 100]] } }))
  expect(events.filter(event => event.kind === 'token')).toEqual([
    { kind: 'token', choice: 0, position: 0, tokenId: 2, text: '', score: null, atMs: 0, end: { reason: 'stop', stopString: null } }
  ])
  await harness.engine.close()
})

it('scores a prompt without generating when no new token is allowed', async () => {
  const harness = new EngineHarness({ chunkTokens: 4 })
  const prompt = [5, 6, 7, 8, 9, 10, 11, 12, 13]
  const events = await harness.run(request('score', prompt, { maxNewTokens: 0, echo: true, promptLogprobs: 1 }))
  const promptEvents = events.filter(event => event.kind === 'prompt')
  expect(promptEvents.flatMap(event => event.tokenIds)).toEqual(prompt)
  const scores = promptEvents.flatMap(event => event.scores ?? [])
  expect(scores[0]?.logprob).toBeNull()
  expect(scores.slice(1).every(score => (score.logprob ?? 1) < 0)).toBe(true)
  expect(events.at(-1)).toMatchObject({ kind: 'finished', usage: { promptTokens: 9, completionTokens: 0 } })
  await harness.engine.close()
})

it('emits a long prompt in events of at most 128 tokens', async () => {
  const harness = new EngineHarness({ contextLength: 1400 })
  const prompt = Array.from({ length: 1200 }, (_, index) => 6 + (index % 20))
  const events = await harness.run(request('long', prompt, { echo: true, maxNewTokens: 1 }))
  const promptEvents = events.filter(event => event.kind === 'prompt')
  expect(promptEvents.map(event => event.tokenIds.length)).toEqual([...Array.from({ length: 9 }, () => 128), 48])
  await harness.engine.close()
})

describe('a stop string that is the text of a control token', () => {
  const CONTROL = 1
  const forced = { ...GREEDY, logitBias: [[CONTROL, 100]] as const }
  const stopping = { ignoreEos: true, maxNewTokens: 5, stopStrings: ['<1>'], sampling: forced }

  it.each([
    { case: 'leaves it out', changes: {}, text: '' },
    { case: 'includes it if requested', changes: { includeStop: true }, text: '<1>' },
    { case: 'is found in the text where control tokens are part of it', changes: { skipSpecialTokens: false }, text: '' }
  ])('ends the choice and $case', async ({ changes, text }) => {
    const events = await alone(request('r', [5, 6, 7], { ...stopping, ...changes }))
    const tokens = events.filter(event => event.kind === 'token')
    expect(tokens).toHaveLength(1)
    expect(tokens[0]).toMatchObject({ tokenId: CONTROL, text, end: { reason: 'stop', stopString: '<1>' } })
  })

  it('ends no choice before the minimum number of tokens, and none with another stop string', async () => {
    const early = await alone(request('r', [5, 6, 7], { ...stopping, sampling: { ...forced, minNewTokens: 3 } }))
    expect(early.filter(event => event.kind === 'token')).toHaveLength(4)
    const other = await alone(request('r', [5, 6, 7], { ...stopping, stopStrings: ['<0>'] }))
    expect(other.filter(event => event.kind === 'token')).toHaveLength(5)
  })
})

it('never draws or reports an id that only pads the embedding', async () => {
  const padded = new EngineHarness({ vocabularySize: 40 })
  const any = request('r', [5, 6, 7], { ignoreEos: true, maxNewTokens: 60, topLogprobs: 20, sampling: { ...GREEDY, temperature: 2 } })
  const tokens = (await padded.run(any)).filter(event => event.kind === 'token')
  expect(tokens).toHaveLength(60)
  for (const { tokenId, score } of tokens) {
    expect(tokenId).toBeLessThan(32)
    expect(score?.top.filter(({ tokenId: other }) => other >= 32)).toEqual([])
  }
  await padded.engine.close()
})
