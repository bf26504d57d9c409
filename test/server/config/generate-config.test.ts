import { expect, it } from 'vitest'
import { readGenerateConfig } from '../../../src/server/config/generate-config.ts'
import { SERVE_OPTIONS } from '../../../src/server/config/serve-config.ts'

const MACHINE = { cores: 4, memoryBytes: 2 ** 33 }

it('has the documented defaults', () => {
  const config = read(['Hello there'])
  expect(config).toMatchObject({ prompt: 'Hello there', maxTokens: 128, temperature: 0, seed: null })
  expect(config.load).toMatchObject({
    model: 'smollm2-135m-instruct',
    quantization: 'auto',
    threads: 4,
    workers: 1,
    cacheMemoryBytes: 2 ** 32
  })
})

it('accepts options before and after the prompt, and from the environment', () => {
  expect(read(['--max-tokens', '7', 'Hi', '--temperature=0.7'], { SEED: '3' })).toMatchObject({
    prompt: 'Hi',
    maxTokens: 7,
    temperature: 0.7,
    seed: 3
  })
})

it('reads the prompt from standard input if it is - or input is piped', () => {
  expect(read(['-']).prompt).toBeNull()
  expect(read([], {}, true).prompt).toBeNull()
})

it.each([
  [[], 'generate needs a prompt: everstream generate "The capital of France is"'],
  [['The', 'capital'], 'generate takes one prompt, not 2 arguments: put the prompt in quotes'],
  [['Hi', '--temperature', '3'], '--temperature must be a number from 0 to 2, not "3"'],
  [['Hi', '--port', '1'], 'unknown option --port']
])('refuses %j with exit code 2', (argv, message) => {
  expect(() => read(argv)).toThrow(expect.objectContaining({ exitCode: 2, message }))
})

it('has options that serve does not have', () => {
  expect(SERVE_OPTIONS).toContain('port')
  expect(SERVE_OPTIONS).not.toContain('temperature')
})

function read(argv: readonly string[], environment: Record<string, string> = {}, isPiped = false) {
  return readGenerateConfig(argv, environment, { isPiped, machine: MACHINE })
}
