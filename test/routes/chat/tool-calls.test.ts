import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ParsedText, toolCallReader } from '../../../src/routes/chat/tool-calls.ts'

type Format = Parameters<typeof toolCallReader>[0]

function readAll(format: Format, pieces: readonly string[]): ParsedText {
  const reader = toolCallReader(format)
  const reads = [...pieces.map(piece => reader.push(piece)), reader.end()]
  return { content: reads.map(read => read.content).join(''), calls: reads.flatMap(read => read.calls) }
}

const read = (format: Format, text: string): ParsedText => readAll(format, [text])
const CLOCK = { name: 'clock', arguments: '{"zone":"UTC"}' }
const DICE = { name: 'dice', arguments: '{}' }

it.each<[Format, string, ParsedText]>([
  ['hermes', '<tool_call>\n{"name": "clock", "arguments": {"zone": "UTC"}}\n</tool_call>', { content: '', calls: [CLOCK] }],
  [
    'hermes',
    'Let me see.\n<tool_call>{"name":"clock","arguments":{"zone":"UTC"}}</tool_call>\n<tool_call>{"name":"dice","arguments":{}}</tool_call>\n',
    { content: 'Let me see.', calls: [CLOCK, DICE] }
  ],
  ['hermes', '<tool_call>{"name":"dice"}', { content: '', calls: [DICE] }],
  ['hermes', 'a <tool_call>{broken</tool_call> b', { content: 'a <tool_call>{broken</tool_call> b', calls: [] }],
  ['hermes', '<tool_call>{"name":"dice", "argu', { content: '<tool_call>{"name":"dice", "argu', calls: [] }],
  ['hermes', 'a < b and <tool', { content: 'a < b and <tool', calls: [] }],
  ['llama3', '{"name": "clock", "parameters": {"zone": "UTC"}}', { content: '', calls: [CLOCK] }],
  ['llama3', '{"name": "clock", "parameters": {"zone": "UTC"}}; {"name": "dice", "parameters": {}}', { content: '', calls: [CLOCK, DICE] }],
  ['llama3', '{"answer": 42}', { content: '{"answer": 42}', calls: [] }],
  ['llama3', 'It is noon.', { content: 'It is noon.', calls: [] }],
  [
    'mistral',
    '[TOOL_CALLS] [{"name": "clock", "arguments": {"zone": "UTC"}}, {"name":"dice","arguments":{}}]',
    { content: '', calls: [CLOCK, DICE] }
  ],
  ['mistral', ' [{"name": "dice", "arguments": {}}]', { content: '', calls: [DICE] }],
  ['mistral', '[1, 2, 3]', { content: '[1, 2, 3]', calls: [] }],
  ['mistral', '  ', { content: '  ', calls: [] }]
])('%s: reads %j', (format, text, expected) => {
  expect(read(format, text)).toEqual(expected)
})

const FORMATS = ['hermes', 'llama3', 'mistral'] as const
const PIECES = [
  '<tool_call>',
  '</tool_call>',
  '{"name":"dice","arguments":{}}',
  '[TOOL_CALLS]',
  '[',
  ']',
  '{',
  '<',
  'to',
  ' ',
  '\n',
  'é',
  ';'
]
const text = fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 4 })), { maxLength: 12 }).map(pieces => pieces.join(''))

it('finds the same calls however the text is split', () => {
  fc.assert(
    fc.property(fc.constantFrom(...FORMATS), text, fc.array(fc.nat(60), { maxLength: 8 }), (format, whole, cuts) => {
      const at = [0, ...cuts.filter(cut => cut <= whole.length).toSorted((a, b) => a - b), whole.length]
      const pieces = at.slice(1).map((end, i) => whole.slice(at[i], end))
      expect(readAll(format, pieces)).toEqual(read(format, whole))
    })
  )
})

it('returns every character of a text without calls', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...FORMATS),
      text.map(one => one.replaceAll('dice', '')),
      (format, whole) => {
        expect(readAll(format, Array.from(whole))).toEqual({ content: whole, calls: [] })
      }
    )
  )
})

it('treats a call that nests deeper than its client could send back as text', () => {
  const call = (levels: number) => `<tool_call>{"name":"f","arguments":{"a":${'['.repeat(levels)}${']'.repeat(levels)}}}</tool_call>`
  expect(read('hermes', call(62))).toMatchObject({ content: '', calls: [{ name: 'f' }] })
  expect(read('hermes', call(63))).toEqual({ content: call(63), calls: [] })
  expect(read('hermes', call(50_000))).toEqual({ content: call(50_000), calls: [] })
})
