import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { InvariantError } from '../../../src/inference/contract/invariant.ts'
import { request, SimulatedHarness } from './simulated-harness.ts'

describe('slots', () => {
  it('go to choices in the order of arrival; the others wait', async () => {
    const harness = new SimulatedHarness({ slots: 2 })
    await harness.run(request('wide', { choicesPerPrompt: 3, maxNewTokens: 2 }), request('late', { maxNewTokens: 2 }))
    const steps = harness.steps.map(events =>
      events.flatMap(({ requestId, event }) => (event.kind === 'token' ? [`${requestId} ${event.choice}`] : []))
    )
    expect(steps).toEqual([
      ['wide 0', 'wide 1'],
      ['wide 0', 'wide 1'],
      ['wide 2', 'late 0'],
      ['wide 2', 'late 0']
    ])
  })

  it('are free again at the next step after a cancel', async () => {
    const harness = new SimulatedHarness({ slots: 1 })
    harness.engine.submit(request('first', { maxNewTokens: 1000 }))
    harness.engine.submit(request('gone'))
    harness.engine.submit(request('second'))
    await harness.until(() => harness.tokens('first').length === 2)
    harness.engine.cancel('first')
    harness.engine.cancel('gone')
    harness.engine.cancel('unknown')
    await harness.until(() => harness.isOver('second'))
    expect(harness.tokens('first')).toHaveLength(2)
    expect(harness.events('gone')).toEqual([])
    expect(harness.steps).toHaveLength(2 + 8)
  })
})

describe('a request', () => {
  it('emits its start, its tokens and its end with the usage, in this order', async () => {
    const harness = new SimulatedHarness()
    await harness.run(request('a', { prompts: [{ tokenIds: [1, 2, 3] }, { tokenIds: [4] }], choicesPerPrompt: 2, maxNewTokens: 3 }))
    const kinds = harness.events('a').map(event => event.kind)
    expect(kinds).toEqual(['started', ...new Array(12).fill('token'), 'finished'])
    expect(harness.events('a').at(-1)).toMatchObject({ usage: { promptTokens: 4, completionTokens: 12, cachedTokens: 0 } })
  })

  it('without new tokens emits its prompts and finishes', async () => {
    const harness = new SimulatedHarness()
    await harness.run(request('a', { prompts: [{ tokenIds: [65] }, { tokenIds: [66] }], choicesPerPrompt: 5, maxNewTokens: 0, echo: true }))
    expect(harness.events('a').map(event => (event.kind === 'prompt' ? event.text : event.kind))).toEqual(['started', 'A', 'B', 'finished'])
  })

  it('with many scored prompts computes one piece of one prompt in a step, while another generates a token in each', async () => {
    const harness = new SimulatedHarness({ slots: 16 })
    const prompt = { tokenIds: new Array<number>(300).fill(65) }
    const scored = request('scored', { prompts: new Array(8).fill(prompt), maxNewTokens: 0, echo: true, promptLogprobs: 20 })
    await harness.run(scored, request('other', { maxNewTokens: 20 }))
    const prompts = harness.steps.map(events => events.filter(({ event }) => event.kind === 'prompt').length)
    const tokens = harness.steps.map(events => events.filter(({ event }) => event.kind === 'token').length)
    expect(prompts).toEqual(new Array(24).fill(1))
    expect(tokens.slice(0, 20)).toEqual(new Array(20).fill(1))
  })

  it('may be submitted or cancelled while a step is emitted', async () => {
    const harness = new SimulatedHarness()
    harness.engine.submit(request('first', { maxNewTokens: 100 }))
    await harness.until(() => {
      harness.engine.cancel('first')
      harness.engine.submit(request('second'))
      return true
    })
    await harness.until(() => harness.isOver('second'))
    expect([harness.tokens('first').length, harness.tokens('second').length]).toEqual([1, 8])
  })

  it('is accepted once, and not after the engine is closed', async () => {
    const harness = new SimulatedHarness()
    harness.engine.submit(request('a'))
    expect(() => harness.engine.submit(request('a'))).toThrow(InvariantError)
    await harness.engine.close()
    expect(() => harness.engine.submit(request('b'))).toThrow(InvariantError)
  })
})

describe('the pace', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }))
  afterEach(() => void vi.useRealTimers())

  it('is one token of every active choice per step, by one timer', () => {
    const harness = new SimulatedHarness({ stepMs: 20 })
    harness.engine.submit(request('a'))
    vi.advanceTimersByTime(10)
    harness.engine.submit(request('b'))
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(50)
    expect([harness.tokens('a').length, harness.tokens('b').length]).toEqual([3, 3])
  })

  it('reports the current step, and stops without work', () => {
    const harness = new SimulatedHarness({ stepMs: 20 })
    const { engine } = harness
    expect([engine.stepsDone, engine.stepStartedAtMs]).toEqual([0, null])
    const startMs = Date.now()
    engine.submit(request('a', { admittedAtMs: startMs - 5 }))
    vi.advanceTimersByTime(30)
    expect([engine.stepsDone, engine.stepStartedAtMs]).toEqual([1, startMs + 20])
    vi.advanceTimersByTime(1000)
    expect([engine.stepsDone, engine.stepStartedAtMs]).toEqual([8, null])
    expect(vi.getTimerCount()).toBe(0)
    expect(harness.events('a').at(-1)).toMatchObject({ timings: { queueMs: 25, prefillMs: 0, decodeMs: 140 } })
  })

  it('ends at once when the engine closes', async () => {
    const harness = new SimulatedHarness({ stepMs: 20 })
    harness.engine.submit(request('a'))
    await harness.engine.close()
    expect(vi.getTimerCount()).toBe(0)
    expect(harness.steps).toEqual([])
  })
})
