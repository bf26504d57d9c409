import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { owned } from '../processes/owned-process.ts'
import { pythonWith } from './python-environment.ts'
import { KEY, startFullServer, startSimulated } from './simulated-server.ts'

const SCRIPT = fileURLToPath(new URL('openai_python.py', import.meta.url))
const python = await pythonWith('openai-python-3.57.0', ['openai==3.57.0'])

/** Runs the script, and calls `onOutput` with all output so far, at each piece. */
async function runScript(argv: readonly string[], onOutput: (output: string) => void = () => {}) {
  const child = owned(spawn(python ?? '', [SCRIPT, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] }))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    stdout += piece
    onOutput(stdout)
  })
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr += piece
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr: stderr.slice(-2000) }
}

describe.skipIf(python === null)('the openai package for Python', () => {
  it('completes, chats, lists models, disconnects, and throws the exception class of each OpenAI error', async () => {
    await using server = await startSimulated()
    const { code, stdout, stderr } = await runScript([`${server.url}/v1`, KEY])
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
    expect(stdout.match(/^passed: /gm)).toHaveLength(10)
    expect(server.log().filter(line => line['outcome'] === 'cancelled').length).toBeGreaterThanOrEqual(2)
  }, 120_000)

  it('retries while the server is full, until there is room', async () => {
    await using full = await startFullServer()
    let room: Promise<void> | null = null
    const ended = runScript([full.baseUrl, KEY, '--full'], output => {
      if (output.includes('refused')) room ??= full.makeRoomAfterRefusal(0)
    })
    expect(await ended).toMatchObject({ code: 0, stderr: '' })
    await room
  }, 120_000)
})
