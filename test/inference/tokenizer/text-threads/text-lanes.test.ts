import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, it, onTestFinished, vi } from 'vitest'
import { invariant } from '../../../../src/inference/contract/invariant.ts'
import type { TextPort } from '../../../../src/inference/contract/text-port.ts'
import type { TextSource } from '../../../../src/inference/tokenizer/model-files/text-source.ts'
import { openTextPort } from '../../../../src/inference/tokenizer/text-threads/threaded-text-port.ts'
import { testApp } from '../../../server/app-parts.ts'

const ENDLESS = '{% for a in range(1000000) %}{% for b in range(1000000) %}{% if b > 1000000 %}x{% endif %}{% endfor %}{% endfor %}'
const WORDS: TextSource = { kind: 'words', words: [' yes'], chatTemplate: ENDLESS }
const CONVERSATION = { messages: [], tools: null, addGenerationPrompt: true, settings: {} }
const LONG_CONVERSATION = { ...CONVERSATION, messages: [{ role: 'user', content: 'x'.repeat(70_000) }] }
const FOLDER = join(import.meta.dirname, '../../../fixtures/tokenizer/byte-level')
const NO_LIMIT = { templateLimitMs: 600_000 }

afterEach(() => {
  vi.restoreAllMocks()
})

async function opened(source: TextSource, options: Parameters<typeof openTextPort>[1] = NO_LIMIT): Promise<TextPort> {
  const port = await openTextPort(source, options)
  onTestFinished(() => port.close())
  return port
}

/** Reports whether a promise is settled. */
function watch(promise: Promise<unknown>) {
  const state = { isSettled: false, done: promise.then(settle, settle) }
  function settle() {
    state.isSettled = true
  }
  return state
}

/** Makes `postMessage` throw for tasks whose text matches `fails`. */
function failPosts(fails: (text: unknown) => boolean): void {
  const post = Worker.prototype.postMessage
  vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, task: unknown) {
    if (fails(Reflect.get(Object(task), 'text'))) throw new RangeError('Maximum call stack size exceeded')
    Reflect.apply(post, this, [task])
  })
}

it('continues with the next text when some cannot be sent to the thread', async () => {
  const port = await opened(WORDS)
  failPosts(text => text === 'x')
  const answers = ['x', 'x', 'hi', 'x', 'hi'].map(async text => {
    if (text === 'hi') expect(await port.encode(text)).toEqual([104, 105])
    else await expect(port.encode(text)).rejects.toThrow('call stack')
  })
  await Promise.all(answers)
  expect(await port.encode('hi')).toEqual([104, 105])
  expect(port.isHealthy).toBe(true)
})

it('is unhealthy while no text can be sent to the thread', async () => {
  const port = await opened(WORDS)
  failPosts(() => true)
  await expect(port.encode('x')).rejects.toThrow('call stack')
  await vi.waitFor(() => expect(port.isHealthy).toBe(false))
  vi.restoreAllMocks()
  await vi.waitFor(() => expect(port.isHealthy).toBe(true), { timeout: 10_000 })
  expect(await port.encode('hi')).toEqual([104, 105])
})

it('is unhealthy while texts cannot be processed, and healthy again when they can', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'everstream-text-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await cp(FOLDER, folder, { recursive: true })
  const posts = vi.spyOn(Worker.prototype, 'postMessage')
  const port = await opened({ kind: 'folder', path: folder })
  const tokenIds = await port.encode('hi')
  const thread: unknown = posts.mock.contexts.at(-1)
  invariant(thread instanceof Worker, 'the port posts to a worker')
  await rm(folder, { recursive: true })
  await thread.terminate()
  await expect(port.encode('hi')).rejects.toMatchObject({ code: 'unavailable' })
  await vi.waitFor(() => expect(port.isHealthy).toBe(false), { timeout: 10_000 })
  await cp(FOLDER, folder, { recursive: true })
  await vi.waitFor(() => expect(port.isHealthy).toBe(true), { timeout: 10_000 })
  expect(await port.encode('hi')).toEqual(tokenIds)
})

it('stays healthy when the template rejects a conversation', async () => {
  const port = await opened({ ...WORDS, chatTemplate: "{{ raise_exception('no') }}" })
  await expect(port.renderChat(CONVERSATION)).rejects.toMatchObject({ code: 'invalid_request' })
  expect(port.isHealthy).toBe(true)
})

it('processes short texts while a long one blocks its thread', async () => {
  const port = await opened(WORDS)
  const long = watch(port.renderChat(LONG_CONVERSATION))
  const alsoLong = watch(port.encode('x'.repeat(70_000)))
  expect(await port.encode('hi')).toEqual([104, 105])
  expect(await port.decode([104, 105], { skipSpecialTokens: true })).toBe('hi')
  expect([long.isSettled, alsoLong.isSettled]).toEqual([false, false])
  await port.close()
  await Promise.all([long.done, alsoLong.done])
})

it('treats many short texts of one request as a long text', async () => {
  const port = await opened(WORDS)
  const blocking = watch(port.renderChat(LONG_CONVERSATION))
  const { signal } = new AbortController()
  const many = Array.from({ length: 10 }, () => watch(port.encode('x'.repeat(20_000), { signal })))
  await many[2]?.done
  expect(await port.encode('x'.repeat(20_000), { signal: new AbortController().signal })).toHaveLength(20_000)
  expect(many.map(({ isSettled }) => isSettled)).toEqual([true, true, true, false, false, false, false, false, false, false])
  await port.close()
  await Promise.all([blocking.done, ...many.map(({ done }) => done)])
})

it.each([
  { bound: 'texts', bounds: { tasks: 3, units: 1e9 }, words: 'hi' },
  { bound: 'characters', bounds: { tasks: 1000, units: 300 }, words: 'x'.repeat(100) }
])(
  'refuses a text with 503 and Retry-After when the queue is full ($bound), and accepts it when there is capacity',
  async ({ bounds, words }) => {
    const text = await opened(WORDS, { ...NO_LIMIT, bounds })
    const app = testApp({ text })
    const blocking = watch(text.renderChat(CONVERSATION))
    const cancelled = new AbortController()
    const first = watch(text.encode(words, { signal: cancelled.signal }))
    const waiting = [first, watch(text.encode(words)), watch(text.encode(words))]
    const tokenize = async () => await app.inject({ method: 'POST', url: '/tokenize', payload: { prompt: words } })
    const refused = await tokenize()
    expect(refused.statusCode).toBe(503)
    expect(refused.headers).toMatchObject({ 'retry-after': '1', 'x-should-retry': 'true' })
    expect(refused.json().error.code).toBe('server_is_overloaded')
    cancelled.abort()
    await first.done
    const taken = watch(text.encode(words))
    await expect(text.encode(words)).rejects.toMatchObject({ code: 'queue_full' })
    expect(taken.isSettled).toBe(false)
    await text.close()
    await Promise.all([blocking.done, taken.done, ...waiting.map(({ done }) => done)])
  }
)
