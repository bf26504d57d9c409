import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { isAlive } from '../server/workers/start-workers.ts'
import { owned } from './owned-process.ts'

const PARENT = fileURLToPath(new URL('./leaving-parent.ts', import.meta.url))

it.each(['exits', 'runs out of work', 'throws', 'is terminated', 'is killed'])(
  'a process of a test ends with the process that %s',
  async way => {
    const parent = owned(spawn(process.execPath, [PARENT, way], { stdio: ['ignore', 'pipe', 'ignore'] }))
    const pid = Number(await text(parent.stdout))
    expect(pid).toBeGreaterThan(0)
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
  }
)
