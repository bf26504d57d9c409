import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { readWhole } from './completion.ts'
import { defaultModelFile } from './default-model-file.ts'
import { runProgram } from './start-program.ts'
import { startServer } from './start-server.ts'

/**
 * Empty folders where ONNX Runtime's telemetry would keep a database (the user's cache folder) and a log (the temporary
 * folder).
 */
async function emptyFolders() {
  const folder = await mkdtemp(join(tmpdir(), 'everstream-telemetry-'))
  const [HOME, XDG_CACHE_HOME, TMPDIR] = ['home', 'cache', 'temporary'].map(name => join(folder, name)) as [string, string, string]
  for (const path of [HOME, XDG_CACHE_HOME, TMPDIR]) await mkdir(path)
  return {
    // Telemetry must be off even though this variable turns it on.
    environment: { HOME, XDG_CACHE_HOME, TMPDIR, ORT_DISABLE_TELEMETRY: '0' },
    async files(): Promise<string[]> {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      return entries.filter(entry => !entry.isDirectory()).map(entry => join(entry.parentPath, entry.name))
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true })
  }
}

describe.concurrent('the telemetry of ONNX Runtime', () => {
  it('writes no file while a server and its workers run, nor when they end', async ({ expect }) => {
    await using folders = await emptyFolders()
    {
      await using server = await startServer(['--threads', '1'], folders.environment)
      await readWhole(await server.post({ model: 'smollm2-135m-instruct', prompt: 'Hello', max_tokens: 2 }))
      expect(await folders.files()).toEqual([])
    }
    expect(await folders.files()).toEqual([])
  }, 120_000)

  it.for([
    ['generate', ['--max-tokens', '2', 'Hello']],
    ['doctor', ['--port', '0']]
  ] as const)('writes no file in the command %s', { timeout: 120_000 }, async ([command, argv], { expect }) => {
    await using folders = await emptyFolders()
    const options = ['--model', await defaultModelFile(), '--threads', '1', ...argv]
    const { code, stderr } = await runProgram([command, ...options], folders.environment)
    expect(code, stderr.join('\n')).toBe(0)
    expect(await folders.files()).toEqual([])
  })
})
