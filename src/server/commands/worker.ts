import { readWorkerConfig, WORKER_OPTIONS } from '../config/worker-config.ts'
import type { Command } from './command.ts'

/** Starts workers without a server; resolves when they work. */
export const workerCommand: Command = {
  name: 'worker',
  usage: '--redis-url <url> [options]',
  summary: 'Work for the servers that share a queue in Redis.',
  details: [
    'Serves no HTTP: whether it lives is told by its exit code and its log. Give it the model and the Redis of the servers.',
    'Ctrl-C drains: what runs is finished, and what does not end in time goes on at another worker.'
  ],
  options: WORKER_OPTIONS,

  async run(argv, { environment, reporter }) {
    const config = readWorkerConfig(argv, environment)
    const { work } = await import('../work.ts')
    await work(config, reporter)
  }
}
