import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { invariant } from '../../../../src/inference/contract/invariant.ts'
import type { TextPort } from '../../../../src/inference/contract/text-port.ts'
import type { TextSource } from '../../../../src/inference/tokenizer/model-files/text-source.ts'
import { openTextPort } from '../../../../src/inference/tokenizer/text-threads/threaded-text-port.ts'

/** A token for each byte, and one merge, so that long words need merging. */
const BYTES = Array.from({ length: 256 }, (_, byte) => {
  const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  return isPrintable ? String.fromCharCode(byte) : null
})
let next = 0x100
const TOKENS = [...BYTES.map(token => token ?? String.fromCharCode(next++)), 'aa']
const METADATA = new Map<string, unknown>([
  ['tokenizer.ggml.model', 'gpt2'],
  ['tokenizer.ggml.pre', 'gpt-2'],
  ['tokenizer.ggml.tokens', TOKENS],
  ['tokenizer.ggml.merges', ['a a']]
])

const WORDS: TextSource = { kind: 'words', words: [' yes'], chatTemplate: '{{ messages[0].content }}' }
const ENDLESS = '{% for a in range(1000000) %}{% for b in range(1000000) %}{% if b > 1000000 %}x{% endif %}{% endfor %}{% endfor %}'
const CONVERSATION = { messages: [], tools: null, addGenerationPrompt: true, settings: {} }

let port: TextPort
beforeAll(async () => {
  port = await openTextPort({ kind: 'gguf', metadata: METADATA })
})
afterAll(() => port.close())

const HOSTILE = [
  { name: '100,000 times one letter', text: 'a'.repeat(100_000), tokens: 50_000 },
  { name: 'a megabyte of emoji', text: '😀'.repeat(262_144), tokens: 1_048_576 },
  { name: '100,000 spaces', text: ' '.repeat(100_000), tokens: 100_000 },
  { name: '100,000 digits', text: '7'.repeat(100_000), tokens: 100_000 },
  { name: '1,000 half characters', text: '\ud83d'.repeat(1000), tokens: 3000 },
  { name: '100,000 NULs', text: '\0'.repeat(100_000), tokens: 100_000 }
]

it.each(HOSTILE)('encodes $name off the event loop', async ({ text, tokens }) => {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const tokenIds = await port.encode(text)
  delay.disable()
  expect(tokenIds).toHaveLength(tokens)
  // The thread takes up to seconds; the event loop must not be blocked. A generous limit, as other tests share the
  // cores.
  expect(delay.max / 1e6).toBeLessThan(500)
})

it('resolves concurrent requests each with its own result', async () => {
  const texts = Array.from({ length: 50 }, (_, index) => 'b'.repeat(index))
  const answers = await Promise.all(texts.map(text => port.encode(text)))
  expect(answers.map(tokenIds => tokenIds.length)).toEqual(texts.map(text => text.length))
})

it('refuses metadata without a tokenizer', async () => {
  await expect(openTextPort({ kind: 'gguf', metadata: new Map() })).rejects.toThrow('tokenizer.ggml.model')
})

it('restarts a thread that exits: only its current text fails', async () => {
  const posts = vi.spyOn(Worker.prototype, 'postMessage')
  const fragile = await openTextPort({ ...WORDS, chatTemplate: ENDLESS }, { templateLimitMs: 600_000 })
  const lost = fragile.renderChat(CONVERSATION)
  const waiting = fragile.encode('hi')
  await vi.waitFor(() => expect(posts).toHaveBeenCalled())
  const thread: unknown = posts.mock.contexts.at(-1)
  posts.mockRestore()
  invariant(thread instanceof Worker, 'the port posts to a worker')
  await Promise.all([thread.terminate(), expect(lost).rejects.toMatchObject({ code: 'unavailable' })])
  expect(await waiting).toEqual([104, 105])
  await fragile.close()
})

it('drops a queued text whose signal is aborted', async () => {
  const posts = vi.spyOn(Worker.prototype, 'postMessage')
  const gone = new AbortController()
  const first = port.encode('first')
  const dropped = port.encode('dropped', { signal: gone.signal })
  gone.abort(new Error('gone'))
  await expect(dropped).rejects.toThrow('gone')
  expect(await first).toHaveLength(5)
  expect(await port.encode('third')).toHaveLength(5)
  const texts = posts.mock.calls.map(([task]: readonly unknown[]) => Reflect.get(Object(task), 'text'))
  posts.mockRestore()
  expect(texts).toEqual(['first', 'third'])
})

it('stops a template that does not terminate, and continues with the next task', async () => {
  const stuck = await openTextPort({ ...WORDS, chatTemplate: ENDLESS }, { templateLimitMs: 50 })
  const lost = stuck.renderChat(CONVERSATION)
  const next = stuck.encode('hi')
  await expect(lost).rejects.toMatchObject({ code: 'invalid_request', param: 'messages' })
  expect(await next).toEqual([104, 105])
  await stuck.close()
})

it('returns the text of ids, and the label of each token', async () => {
  const text = 'naïve 水 aaa'
  const tokenIds = await port.encode(text)
  expect(await port.decode(tokenIds, { skipSpecialTokens: false })).toBe(text)
  expect((await port.labels(tokenIds)).slice(-2)).toEqual(['aa', 'a'])
  expect(await port.labels([0xe2])).toEqual([expect.any(String)])
  expect(await port.decode([9999], { skipSpecialTokens: false })).toBe('')
})

it('rejects everything after it is closed', async () => {
  const closed = await openTextPort(WORDS)
  const lost = closed.encode('x')
  await Promise.all([closed.close(), expect(lost).rejects.toMatchObject({ code: 'unavailable' })])
  await expect(closed.encode('hi')).rejects.toMatchObject({ code: 'unavailable' })
})
