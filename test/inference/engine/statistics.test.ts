import { expect, it } from 'vitest'
import { EngineHarness, request } from './engine-harness.ts'

const PROMPT = Array.from({ length: 40 }, (_, index) => 3 + (index % 20))

it('counts the same runs, rows and tokens as the runner', async () => {
  const harness = new EngineHarness({ slots: 4 })
  for (const id of ['a', 'b', 'c', 'd', 'e']) harness.engine.submit(request(id, [9, 8, 7], { ignoreEos: true, maxNewTokens: 12 }))
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map(id => harness.ended(id)))
  const { counters, gauges } = harness.engine.statistics
  const decodes = harness.runner.steps.filter(({ kind }) => kind === 'decode')
  expect(counters).toMatchObject({
    prefillRuns: harness.runner.steps.length - decodes.length,
    prefillTokens: 5 * 3,
    decodeRuns: decodes.length,
    decodedRows: decodes.reduce((sum, { rows }) => sum + rows, 0)
  })
  expect(counters.prefillRuns + counters.decodeRuns).toBe(harness.engine.stepsDone)
  expect(gauges).toMatchObject({ decodingRows: 0, waitingPrompts: 0, reservedTokens: 0 })
  await harness.engine.close()
})

it('counts the prompt tokens that were looked up and found among stored prefixes', async () => {
  const harness = new EngineHarness({ slots: 2 })
  harness.engine.submit(request('first', PROMPT))
  await harness.ended('first')
  expect(harness.engine.statistics.counters).toMatchObject({ prefixTokensQueried: 40, prefixTokensFound: 0, prefillTokens: 40 })
  harness.engine.submit(request('again', PROMPT))
  await harness.ended('again')
  expect(harness.engine.statistics.counters).toMatchObject({ prefixTokensQueried: 80, prefixTokensFound: 32, prefillTokens: 48 })
  expect(harness.engine.statistics.gauges.retainedTokens).toBe(32)
  await harness.engine.close()
})

it('reports gauges while requests run', async () => {
  const harness = new EngineHarness({ slots: 2 })
  for (const id of ['a', 'b', 'c']) harness.engine.submit(request(id, [9, 8, 7], { ignoreEos: true, maxNewTokens: 40 }))
  await harness.until(() => harness.engine.statistics.gauges.decodingRows === 2)
  expect(harness.engine.statistics.gauges).toMatchObject({ waitingPrompts: 1, reservedTokens: 2 * 43 })
  await Promise.all(['a', 'b', 'c'].map(id => harness.ended(id)))
  await harness.engine.close()
})
