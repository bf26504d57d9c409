import { expect, it } from 'vitest'
import { parseBenchOptions } from '../../../load/bench/bench-options.ts'

function parse(...args: string[]) {
  return parseBenchOptions(args)
}

it('measures the default model, or a model that it writes', () => {
  expect(parse()?.task).toEqual({ kind: 'speed', model: 'smollm2-135m-instruct' })
  expect(parse('--shape', '1b')?.task).toEqual({ kind: 'speed', model: { shape: '1b', type: 'Q4_0' } })
  expect(parse('--shape', '8b', '--type', 'Q5_K_M')?.task).toEqual({ kind: 'speed', model: { shape: '8b', type: 'Q5_K_M' } })
  expect(parse('--quality', '--model', 'a.gguf')?.task).toEqual({ kind: 'quality', model: 'a.gguf' })
})

it('combines shapes and types to a matrix, with cases of its own', () => {
  const options = parse('--matrix', '--shape', '135m,1b', '--type', 'Q4_0,F16', '--minutes', '20', '--results', 'r.json')
  expect(options?.task).toEqual({
    kind: 'matrix',
    models: [
      { shape: '135m', type: 'Q4_0' },
      { shape: '135m', type: 'F16' },
      { shape: '1b', type: 'Q4_0' },
      { shape: '1b', type: 'F16' }
    ],
    resultsPath: 'r.json',
    minutes: 20
  })
  expect(options?.cases).toEqual([
    { kind: 'prefill', tokens: 256 },
    ...[1, 8, 32].map(rows => ({ kind: 'decode', rows, past: 128, steps: 8 }))
  ])
  expect(parse('--matrix', '--rows', '2', '--prefill', '0')?.cases).toEqual([{ kind: 'decode', rows: 2, past: 128, steps: 8 }])
})

it.each([
  ['--shape must be of 135m, 1b, 8b, got', '--shape', '2b'],
  ['--type must be of F32, F16', '--shape', '1b', '--type', 'q4_0'],
  ['--type needs --shape', '--type', 'Q4_0'],
  ['lists of --shape and --type need --matrix', '--shape', '1b', '--type', 'Q4_0,Q8_0'],
  ['--results needs --matrix', '--results', 'r.json'],
  ['--minutes needs --matrix', '--minutes', '3'],
  ['--model excludes --shape', '--model', 'a.gguf', '--shape', '1b'],
  ['--model excludes --matrix', '--model', 'a.gguf', '--matrix'],
  ['--quality excludes --matrix', '--quality', '--matrix'],
  ['--rows must be 1 to 256', '--rows', '0']
])('refuses options that contradict each other: %s', (message, ...args) => {
  expect(() => parse(...args)).toThrow(message)
})
