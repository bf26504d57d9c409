import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { KEY, startSimulated } from './simulated-server.ts'

const run = promisify(execFile)
const SOURCE = fileURLToPath(new URL('JavaClient.java', import.meta.url))
const hasJava = await findJava()

describe.skipIf(!hasJava)('the HTTP client of the JDK', () => {
  it('gets a response over HTTP/1.1 whatever version it prefers, also for a POST after a GET on one connection', async () => {
    await using server = await startSimulated()
    const { stdout } = await run('java', [SOURCE, server.url, KEY])
    const round = ['HTTP_1_1 200 whole', 'HTTP_1_1 200 whole', 'HTTP_1_1 200 streamed', 'HTTP_1_1 401 whole']
    expect(stdout.trim().split('\n')).toEqual([...round, ...round, ...round])
  }, 120_000)
})

/** @throws in CI instead of returning false, because no test may be skipped there */
async function findJava(): Promise<boolean> {
  try {
    await run('java', ['-version'])
    return true
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error
    console.warn(`skipped: no Java (${String(error)})`)
    return false
  }
}
