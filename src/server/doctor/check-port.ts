import { once } from 'node:events'
import { createServer } from 'node:net'
import { type Finding, ok, problem, reasonOf } from './finding.ts'

/** Whether `serve` could listen where it would. */
export async function checkPort(host: string, port: number): Promise<Finding> {
  const server = createServer()
  try {
    const listening = once(server, 'listening')
    server.listen({ host, port })
    await listening
    server.close()
    return ok('port', `${port} on ${host} is free`)
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    if (!isTaken) return problem('port', `${port} on ${host} cannot be opened: ${reasonOf(error)}`, 'another --host or --port')
    return problem(
      'port',
      `${port} on ${host} is taken`,
      `end what listens there, or npm start -- --port ${port === 65_535 ? 8001 : port + 1}`
    )
  }
}
