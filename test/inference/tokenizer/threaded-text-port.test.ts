import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, beforeAll, expect, it } from 'vitest'
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
  // The thread takes up to seconds; the loop that waits for it must not (a bound on blocking, not on speed).
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

it('rejects what was asked of a thread that ended, and starts another for the next', async () => {
  const fragile = await openTextPort({ kind: 'bytes', vocabularySize: 512 })
  const lost = fragile.encode('x'.repeat(1_000_000))
  await fragile.close()
  await expect(lost).rejects.toMatchObject({ code: 'unavailable' })
  expect(await fragile.encode('hi')).toEqual([104, 105])
  await fragile.close()
})
