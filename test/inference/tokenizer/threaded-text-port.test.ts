import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { invariant } from '../../../src/inference/contract/invariant.ts'
import type { TextPort } from '../../../src/inference/contract/text-port.ts'
import { openTextPort } from '../../../src/inference/tokenizer/threaded-text-port.ts'

/** Every byte a token, and one merge, so that long words have merges to make. */
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
  // The thread takes up to seconds; the loop that waits for it must not. Far above what it takes, as other tests share the cores.
  expect(delay.max / 1e6).toBeLessThan(500)
})

it('answers in the order of the questions, each with its own text', async () => {
  const texts = Array.from({ length: 50 }, (_, index) => 'b'.repeat(index))
  const answers = await Promise.all(texts.map(text => port.encode(text)))
  expect(answers.map(tokenIds => tokenIds.length)).toEqual(texts.map(text => text.length))
})

it('refuses to open on metadata that is no tokenizer', async () => {
  await expect(openTextPort({ kind: 'gguf', metadata: new Map() })).rejects.toThrow('tokenizer.ggml.model')
})

it('rejects all that waits for a thread that dies, and starts another for the next text', async () => {
  const posts = vi.spyOn(Worker.prototype, 'postMessage')
  const fragile = await openTextPort({ kind: 'bytes', vocabularySize: 512 })
  const lost = [fragile.encode('x'.repeat(1_000_000)), fragile.encode('y')]
  const thread: unknown = posts.mock.contexts.at(-1)
  posts.mockRestore()
  invariant(thread instanceof Worker, 'the port posts to a worker')
  await Promise.all([thread.terminate(), ...lost.map(answer => expect(answer).rejects.toMatchObject({ code: 'unavailable' }))])
  expect(await fragile.encode('hi')).toEqual([104, 105])
  await fragile.close()
})

it('answers nothing after it is closed', async () => {
  const closed = await openTextPort({ kind: 'bytes', vocabularySize: 512 })
  const lost = closed.encode('x')
  await Promise.all([closed.close(), expect(lost).rejects.toMatchObject({ code: 'unavailable' })])
  await expect(closed.encode('hi')).rejects.toMatchObject({ code: 'unavailable' })
})
