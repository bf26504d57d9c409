import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { OPTIONS, type OptionKey, variableOf } from '../../src/server/config/options.ts'
import { owned } from '../processes/owned-process.ts'

const MAIN = fileURLToPath(new URL('../../src/server/main.ts', import.meta.url))

export interface ProgramEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The program as a user runs it. Disposing kills it if it still runs. */
export interface Program extends AsyncDisposable {
  /** Lines so far, without their ends. */
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  readonly ended: Promise<ProgramEnd>
  signal(name: NodeJS.Signals): void
  /** Resolves with the first result of `find` that is not undefined; rejects when the program ends before. */
  until<Found>(find: () => Found | undefined): Promise<Found>
}

/** Starts `everstream <argv>`, without the options in the environment of this process. */
export function startProgram(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  const child = owned(
    spawn(process.execPath, [MAIN, ...argv], { env: { ...cleanEnvironment(), ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  )
  const stdout: string[] = []
  const stderr: string[] = []
  const watchers = new Set<() => void>()
  const look = () => {
    for (const watcher of watchers) watcher()
  }
  collect(child.stdout, stdout, look)
  collect(child.stderr, stderr, look)
  const ended = endOf(child)

  return {
    stdout,
    stderr,
    ended,
    signal: name => void child.kill(name),
    until: find =>
      new Promise((resolve, reject) => {
        const watcher = () => {
          const found = find()
          if (found === undefined) return
          watchers.delete(watcher)
          resolve(found)
        }
        watchers.add(watcher)
        watcher()
        void ended.then(end => {
          watcher()
          reject(new Error(`the program ended with ${JSON.stringify(end)}:\n${[...stdout, ...stderr].join('\n')}`))
        })
      }),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
    }
  }
}

/** Runs a command that is expected to end by itself. */
export async function runProgram(argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  await using program = startProgram(argv, environment)
  const { code } = await program.ended
  return { code, stdout: program.stdout, stderr: program.stderr }
}

async function endOf(child: ChildProcess): Promise<ProgramEnd> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal }
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const own = new Set((Object.keys(OPTIONS) as OptionKey[]).map(variableOf))
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.has(name)))
}

function collect(stream: NodeJS.ReadableStream, lines: string[], look: () => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (piece: string) => {
    const parts = (rest + piece).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    look()
  })
  stream.on('end', () => {
    if (rest !== '') lines.push(rest)
  })
}
