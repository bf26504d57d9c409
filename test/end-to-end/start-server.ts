import { z } from 'zod'
import { type Program, startProgram } from './start-program.ts'

const LogLine = z.looseObject({ msg: z.string() })
export type LogLine = z.infer<typeof LogLine>

export interface Server extends Program {
  readonly url: string
  /** The log, which goes to standard error, one object a line. */
  log(): readonly LogLine[]
  /** Resolves with the first line of the log after the first `from` that `matches`. */
  logged(matches: (line: LogLine) => boolean, from?: number): Promise<LogLine>
  /** Pids of the workers that became ready, oldest first. */
  workerPids(): readonly number[]
  post(body: object, options?: { readonly signal?: AbortSignal; readonly key?: string }): Promise<Response>
}

/** Starts `serve` on a free port and waits until it is ready. Disposing drains it by SIGTERM. */
export async function startServer(argv: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): Promise<Server> {
  const program = startProgram(['serve', '--port', '0', ...argv], environment)
  try {
    const url = await program.until(() => /^Server ready at (http\S+)\. /m.exec(program.stdout.join('\n'))?.[1])
    const server = withLog(program, url)
    // The log is another pipe: its lines may arrive later than those of standard output.
    await server.logged(line => line.msg === 'a worker is ready')
    return server
  } catch (error) {
    await program[Symbol.asyncDispose]()
    throw error
  }
}

function withLog(program: Program, url: string): Server {
  const log = () => program.stderr.flatMap(parseLine)
  return {
    ...program,
    url,
    log,
    logged: (matches, from = 0) => program.until(() => log().slice(from).find(matches)),
    workerPids: () => log().flatMap(line => (line.msg === 'a worker is ready' ? [z.int().parse(line['workerPid'])] : [])),
    post: (body, { signal, key } = {}) =>
      fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
        body: JSON.stringify(body),
        ...(signal !== undefined && { signal })
      }),
    async [Symbol.asyncDispose]() {
      program.signal('SIGTERM')
      await program.ended
    }
  }
}

function parseLine(line: string): LogLine[] {
  try {
    return [LogLine.parse(JSON.parse(line))]
  } catch {
    return []
  }
}
