import { readWorkerConfig, WORKER_OPTIONS } from '../config/worker-config.ts'
import type { Command } from './command.ts'

/** Starts workers without a server; resolves when one is ready. */
export const workerCommand: Command = {
  name: 'worker',
  usage: '--redis-url <url> [options]',
  summary: 'Process requests of a queue in Redis, without an HTTP server.',
  details: [
    'Has no HTTP port: monitor its exit code and its log. Pass the same model and Redis as to the servers.',
    'Ctrl-C drains: running requests finish, and those that do not finish in time continue at another worker.'
  ],
  options: WORKER_OPTIONS,

  async run(argv, { environment, reporter }) {
    const config = readWorkerConfig(argv, environment)
    const { work } = await import('../work.ts')
    await work(config, reporter)
  }
}
