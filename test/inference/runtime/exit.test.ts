import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { owned } from '../../processes/owned-process.ts'
import { SLOW_LLAMA, type TinyGraph, tinyGraph } from './open-tiny.ts'

let graph: TinyGraph
beforeAll(async () => {
  graph = await tinyGraph(SLOW_LLAMA)
})
afterAll(() => graph[Symbol.asyncDispose]())

const WAYS = ['closed', 'open', 'exit', 'exit at the start of a run', 'exit in a run', 'end with a run']

it.each(WAYS)('a process exits cleanly and without output: %s', async way => {
  const script = fileURLToPath(new URL('leave-process.ts', import.meta.url))
  const options = JSON.stringify({ ...graph.options, threads: 2, spinning: true })
  const child = owned(spawn(process.execPath, ['--no-warnings', script, way, options], { stdio: ['ignore', 'inherit', 'pipe'] }))
  let emitted = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    emitted += text
  })
  const [code, signal] = await once(child, 'close')
  expect({ code, signal, emitted }).toEqual({ code: 0, signal: null, emitted: '' })
})
