import { once } from 'node:events'
import { createServer } from 'node:net'
import { errorCode, errorMessage } from '../error-facts.ts'
import { type Finding, ok, problem } from './finding.ts'

/** Checks that `serve` can listen on its address. */
export async function checkPort(host: string, port: number): Promise<Finding> {
  const server = createServer()
  try {
    const listening = once(server, 'listening')
    server.listen({ host, port })
    await listening
    server.close()
    return ok('port', `${port} on ${host} is free`)
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE')
      return problem('port', `cannot listen on port ${port} of ${host}: ${errorMessage(error)}`, 'another --host or --port')
    return problem(
      'port',
      `${port} on ${host} is already in use`,
      `stop the process that listens there, or npm start -- --port ${port === 65_535 ? 8001 : port + 1}`
    )
  }
}
