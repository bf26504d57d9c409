import { readServeConfig, SERVE_OPTIONS } from '../config/serve-config.ts'
import { serve } from '../serve.ts'
import type { Command } from './command.ts'

/** Starts the server; resolves when it is ready. */
export const serveCommand: Command = {
  name: 'serve',
  usage: '[options]',
  summary: 'Serve a model over HTTP with the OpenAI API.',
  details: ['Ctrl-C drains: running requests finish, then the server exits.'],
  options: SERVE_OPTIONS,

  async run(argv, { environment, reporter }) {
    await serve(readServeConfig(argv, environment), reporter)
  }
}
