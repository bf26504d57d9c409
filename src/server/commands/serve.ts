import { readServeConfig, SERVE_OPTIONS } from '../config/serve-config.ts'
import { serve } from '../serve.ts'
import type { Command } from './command.ts'

/** Starts the server; resolves when it serves. */
export const serveCommand: Command = {
  name: 'serve',
  usage: '[options]',
  summary: 'Serve a model over HTTP, as the OpenAI API does.',
  details: ['Ctrl-C drains: what runs is finished, then the server ends.'],
  options: SERVE_OPTIONS,

  async run(argv, { environment, reporter }) {
    await serve(readServeConfig(argv, environment), reporter)
  }
}
