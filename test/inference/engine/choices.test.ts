import { expect, it } from 'vitest'
import { rankChoices } from '../../../src/inference/contract/ranking.ts'
import { alone, EngineHarness, GREEDY, request } from './engine-harness.ts'

const SAMPLED = { ...GREEDY, temperature: 1, seed: 11 }

it('ranks the choices of each prompt by their mean log-probability, the lowest number first among equals', () => {
  const scores = [
    { tokens: 2, logprob: -4 },
    { tokens: 4, logprob: -4 },
    { tokens: 1, logprob: -1 },
    { tokens: 1, logprob: -9 },
    { tokens: 1, logprob: -3 },
    { tokens: 3, logprob: -3 }
  ]
  expect(rankChoices({ choicesPerPrompt: 3, shownPerPrompt: 2 }, scores)).toEqual([1, 2, 5, 4])
  expect(rankChoices({ choicesPerPrompt: 3, shownPerPrompt: 3 }, scores)).toBeNull()
})

it('generates the same tokens for best_of choices as for n choices, and ranks them in its terminal event', async () => {
  const prompt = [9, 8, 7, 6, 5]
  const shown = { choicesPerPrompt: 6, sampling: SAMPLED, topLogprobs: 0, maxNewTokens: 12 }
  const all = await alone(request('all', prompt, { ...shown, shownPerPrompt: 6 }))
  const best = await alone(request('best', prompt, { ...shown, shownPerPrompt: 2 }))
  expect(best.slice(0, -1)).toEqual(all.slice(0, -1))

  const scores = Array.from({ length: 6 }, () => ({ tokens: 0, logprob: 0 }))
  for (const event of all) {
    const score = event.kind === 'token' ? scores[event.choice] : undefined
    if (event.kind !== 'token' || score === undefined) continue
    score.tokens++
    score.logprob += event.score?.logprob ?? 0
  }
  const means = scores.map(({ tokens, logprob }) => logprob / tokens)
  const byMean = [...means.keys()].sort((a, b) => (means[b] ?? 0) - (means[a] ?? 0))
  expect(best.at(-1)).toMatchObject({ kind: 'finished', ranking: byMean.slice(0, 2) })
  expect(best.at(-1)).toMatchObject({ usage: { completionTokens: scores.reduce((sum, { tokens }) => sum + tokens, 0) } })
  expect(all.at(-1)).not.toHaveProperty('ranking')
})

it('computes the prompt once for all candidates', async () => {
  const harness = new EngineHarness({ slots: 8 })
  await harness.run(request('best', [9, 8, 7, 6, 5], { choicesPerPrompt: 5, shownPerPrompt: 1, topLogprobs: 0, sampling: SAMPLED }))
  const prefilled = harness.runner.steps.filter(step => step.kind === 'prefill').reduce((sum, step) => sum + step.tokens, 0)
  expect(prefilled).toBe(5)
  await harness.engine.close()
})

it('counts a choice once for each choice that it represents', async () => {
  const events = await alone(request('equal', [5, 6, 7], { ignoreEos: true, maxNewTokens: 4, shownPerPrompt: 3, standsFor: 3 }))
  expect(events.filter(event => event.kind === 'token')).toHaveLength(4)
  expect(events.at(-1)).toMatchObject({ usage: { promptTokens: 3, completionTokens: 12 } })
})

it('ends at a stop token and reports it, with its text only if requested', async () => {
  const bias = { ...GREEDY, logitBias: [[10, 100]] as const }
  for (const { includeStop, text } of [
    { includeStop: false, text: '' },
    { includeStop: true, text: 'e' }
  ]) {
    const [, token] = await alone(request('stop', [5, 6, 7], { sampling: bias, stopTokenIds: [10], ignoreEos: true, includeStop }))
    expect(token).toMatchObject({ kind: 'token', tokenId: 10, text, end: { reason: 'stop', stopString: null, stopTokenId: 10 } })
  }
})

it('writes control tokens if they are not to be skipped', async () => {
  const sampling = { ...GREEDY, logitBias: [[1, 100]] as const }
  for (const { skipSpecialTokens, text } of [
    { skipSpecialTokens: true, text: '' },
    { skipSpecialTokens: false, text: '<1>' }
  ]) {
    const [, token] = await alone(request('special', [5, 6, 7], { sampling, maxNewTokens: 1, skipSpecialTokens }))
    expect(token).toMatchObject({ tokenId: 1, text })
  }
})

it('scores the requested tokens, and ranks those of a prompt', async () => {
  const scored = { topLogprobs: 0, scoredTokenIds: [30, 3], echo: true, promptLogprobs: 1, maxNewTokens: 1 }
  const events = await alone(request('scores', [5, 6, 7], scored))
  const token = events.find(event => event.kind === 'token')
  expect(new Set(token?.score?.top.map(({ tokenId }) => tokenId))).toEqual(new Set([3, 30]))
  const [first, ...others] = events.flatMap(event => (event.kind === 'prompt' ? (event.scores ?? []) : []))
  expect(first).not.toHaveProperty('rank')
  for (const { rank, logprob, top } of others) expect((rank ?? 0) === 1).toBe(logprob === top[0]?.logprob)
})
