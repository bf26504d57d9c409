import { ExitError } from '../config/exit-error.ts'
import { readServeConfig, SERVE_OPTIONS } from '../config/serve-config.ts'
import { resolveModel } from '../download/resolve-model.ts'
import type { Command } from './command.ts'

/** Starts the server; resolves when it has shut down. */
export const serveCommand: Command = {
  name: 'serve',
  usage: '[options]',
  summary: 'Serve a model over HTTP, as the OpenAI API does.',
  details: ['Ctrl-C drains: what runs is finished, then the server ends.'],
  options: SERVE_OPTIONS,

  async run(argv, { environment, reporter }) {
    const config = readServeConfig(argv, environment)
    const location = config.engine === 'simulated' ? null : await resolveModel(config, reporter)
    throw new ExitError(1, `the server is not here yet; the model would be ${location?.path ?? 'simulated'}`)
  }
}
