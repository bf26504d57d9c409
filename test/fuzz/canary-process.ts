import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Probe } from './canary.ts'

/**
 * Run as a process of its own: requests one thing after the other, and prints how long each took, one object a line.
 */
const [url = '', model = '', ...pids] = process.argv.slice(2)
const PAUSE_MS = 10
const NANOSECONDS_PER_MS = 1e6
const GIVE_UP_MS = 60_000

const requests: readonly (readonly [path: string, body: object | null])[] = [
  ['/v1/completions', { model, prompt: 'Hello', max_tokens: 1, priority: -1000 }],
  ['/health', null],
  ['/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 1, priority: -1000 }],
  ['/tokenize', { model, prompt: 'Hello' }]
]
for (let index = 0; ; index++) {
  const [path, body] = requests[index % requests.length] ?? ['/health', null]
  const starvedBeforeMs = starvedMs()
  const startMs = performance.now()
  const status = await statusOf(path, body)
  const probe: Probe = { path, status, ms: Math.round(performance.now() - startMs), starvedMs: Math.round(starvedMs() - starvedBeforeMs) }
  process.stdout.write(`${JSON.stringify(probe)}\n`)
  await sleep(PAUSE_MS)
}

async function statusOf(path: string, body: object | null): Promise<number | null> {
  try {
    const response = await fetch(url + path, {
      signal: AbortSignal.timeout(GIVE_UP_MS),
      ...(body !== null && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    })
    await response.text()
    return response.status
  } catch {
    return null
  }
}

/** Time that all threads of all processes have waited for a processor so far; the second field of schedstat. */
function starvedMs(): number {
  const files = ['self', ...pids].flatMap(pid => threadsOf(pid).map(thread => `/proc/${pid}/task/${thread}/schedstat`))
  return files.reduce((sum, file) => sum + Number(textOf(file).split(' ')[1] ?? 0), 0) / NANOSECONDS_PER_MS
}

/** Linux only; elsewhere none, and so of a process that is gone. */
function threadsOf(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
