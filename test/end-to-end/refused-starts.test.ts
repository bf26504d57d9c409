import { once } from 'node:events'
import { copyFile, mkdtemp, rm, truncate } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defaultModelFile } from './default-model-file.ts'
import { runProgram } from './start-program.ts'

const SIMULATED = ['--engine', 'simulated']

describe('a start that is refused', () => {
  it('reports all mistakes at once, and exits with 2', async () => {
    const { code, stdout, stderr } = await runProgram(
      ['serve', '--port', 'http', '--max-slot', '4', '--threads', '0', 'extra', '--engine', 'steam'],
      {
        LOG_LEVEL: 'loud'
      }
    )
    expect(code).toBe(2)
    expect(stdout).toEqual([])
    for (const wrong of ['--port', '--max-slot:', '--threads', '"extra"', '--engine', 'LOG_LEVEL']) {
      expect(stderr.filter(line => line.includes(wrong))).toHaveLength(1)
    }
    expect(stderr).toHaveLength(7)
    expect(stderr.every(line => line.startsWith('everstream: '))).toBe(true)
  })

  it('reports in one line that its port is in use, and exits with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = z.object({ port: z.int() }).parse(other.address())
    const { code, stderr } = await runProgram(['serve', ...SIMULATED, '--port', String(port)])
    other.close()
    // A worker may have been ready before.
    const lines = stderr.filter(line => !line.includes('"msg":"a worker is ready"'))
    expect({ code, lines }).toEqual({ code: 1, lines: [expect.stringContaining(`port ${port} on 127.0.0.1 is already in use`)] })
  })

  it('reports in one line that the model does not exist, and exits with 2', async () => {
    const { code, stderr } = await runProgram(['serve', '--port', '0', '--model', 'nope'])
    expect(code).toBe(2)
    expect(stderr[0]).toContain('nope')
    expect(stderr.slice(1)).toEqual(['everstream: try --help'])
  })

  it('does not listen to other machines without a key, and exits with 2', async () => {
    const { code, stderr } = await runProgram(['serve', ...SIMULATED, '--port', '0', '--host', '0.0.0.0'])
    expect(code).toBe(2)
    expect(stderr).toEqual([expect.stringContaining('--host 0.0.0.0'), 'everstream: try --help'])
  })

  it.each([
    ['its header', 100],
    ['its tensors', 50_000_000]
  ])(
    'reports in one line that a model file is truncated within %s, and exits with 1',
    async (_where, bytes) => {
      const folder = await mkdtemp(join(tmpdir(), 'everstream-cut-'))
      try {
        const path = join(folder, 'cut.gguf')
        await copyFile(await defaultModelFile(), path)
        await truncate(path, bytes)
        const { code, stderr } = await runProgram(['serve', '--port', '0', '--model', path, '--models-folder', folder])
        expect(code).toBe(1)
        expect(stderr).toEqual([expect.stringContaining(path)])
      } finally {
        await rm(folder, { recursive: true })
      }
    },
    120_000
  )
})
