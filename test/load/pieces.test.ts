import { expect, it } from 'vitest'
import { promptAt } from '../../load/requests/prompts.ts'
import { SseLines } from '../../load/requests/sse-lines.ts'
import { memoryReport } from '../../load/stream/memory-watch.ts'
import { parseStreamOptions } from '../../load/stream/stream-options.ts'

it('generates reproducible, distinct prompts of 48 words', () => {
  const prompts = Array.from({ length: 200 }, (_, index) => promptAt(index))
  expect(prompts.every(prompt => prompt.split(' ').length === 48)).toBe(true)
  expect(new Set(prompts.map(prompt => prompt.split(' ').slice(0, 4).join(' '))).size).toBe(200)
  expect(promptAt(7)).toBe(prompts[7])
})

it('reads the same events for every division of the bytes', () => {
  const body = Buffer.from('data: {"text":"né"}\n\n: ping\n\ndata: [DONE]\n\n')
  for (let cut = 0; cut <= body.length; cut++) {
    const lines = new SseLines()
    expect([...lines.push(body.subarray(0, cut)), ...lines.push(body.subarray(cut))]).toEqual(['{"text":"né"}', '[DONE]'])
  }
})

it.each([
  { name: 'flat', minutes: [300, 400, 402, 399], flat: true },
  { name: 'growing', minutes: [300, 400, 410, 440], flat: false },
  { name: 'too short', minutes: [300, 400], flat: null }
])('judges memory: $name', ({ minutes, flat }) => {
  const samples = minutes.map(mebibytes => [mebibytes * 1_048_576])
  expect(memoryReport(samples)).toMatchObject({ mebibytesByMinute: minutes, flatAfterFirstMinute: flat })
})

it.each(['--clients 0', '--clients 1.5', '--minutes x', '--cases', '--nonsense', '--url nowhere'])('rejects %s', args => {
  expect(() => parseStreamOptions(['--check', ...args.split(' ')])).toThrow()
})
