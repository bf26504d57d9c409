import { expect, it } from 'vitest'
import { readGenerateConfig } from '../../src/server/config/generate-config.ts'
import { generate } from '../../src/server/generate.ts'
import { loadServedModel } from '../../src/server/served-model.ts'
import { recordingReporter } from './download/fetch-parts.ts'

it('writes the text in pieces, and returns its statistics', async () => {
  const { pieces, generated } = await run(['--max-tokens', '5', 'Hello'])
  expect(generated).toMatchObject({ promptTokens: 5, tokens: 5, finish: 'length' })
  expect(pieces.length).toBeGreaterThan(1)
})

it('generates the same text for the same seed', async () => {
  const argv = ['--max-tokens', '8', '--temperature', '1', '--seed', '7', 'Hello']
  expect((await run(argv)).pieces).toEqual((await run(argv)).pieces)
})

it('stops at once when it is aborted', async () => {
  const interrupt = new AbortController()
  const { pieces, generated } = await run(['--max-tokens', '5000', 'Hello'], () => interrupt.abort(), interrupt.signal)
  expect(generated).toMatchObject({ finish: 'cancelled', tokens: pieces.length })
  expect(pieces).toHaveLength(1)
})

it('generates nothing if it is aborted before', async () => {
  const { pieces, generated } = await run(['Hello'], () => {}, AbortSignal.abort())
  expect({ pieces, finish: generated.finish }).toEqual({ pieces: [], finish: 'cancelled' })
})

it('generates at most as many tokens as the context allows, and refuses a prompt that fills it', async () => {
  expect((await run(['--max-context', '8', 'Hello'])).generated.tokens).toBe(3)
  await expect(run(['--max-context', '5', 'Hello'])).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('5 tokens') })
  await expect(run([''])).rejects.toMatchObject({ exitCode: 2, message: 'the prompt is empty' })
})

async function run(argv: readonly string[], onPiece = () => {}, signal = new AbortController().signal) {
  const config = readGenerateConfig(argv, { ENGINE: 'simulated', SIMULATED_STEP_MS: '0' }, { isPiped: false })
  const served = await loadServedModel(config.load, recordingReporter())
  const pieces: string[] = []
  const write = (piece: string) => {
    pieces.push(piece)
    onPiece()
  }
  return { generated: await generate({ config, served, prompt: config.prompt ?? '', write, signal }), pieces }
}
