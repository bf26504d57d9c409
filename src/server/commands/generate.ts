import { text } from 'node:stream/consumers'
import { ExitError } from '../config/exit-error.ts'
import { GENERATE_OPTIONS, readGenerateConfig } from '../config/generate-config.ts'
import type { Generated } from '../generate.ts'
import { loadServedModel } from '../served-model.ts'
import type { Command } from './command.ts'
import { TerminalReporter } from './terminal-reporter.ts'

/** Generates one text on the terminal. */
export const generateCommand: Command = {
  name: 'generate',
  usage: '[options] <prompt>',
  summary: 'Generate one text and print it as it is generated.',
  details: [
    'everstream generate "The capital of France is"',
    'cat letter.txt | everstream generate --max-tokens 200 -',
    '',
    'The model continues the prompt. Generated text goes to standard output, everything else to standard error.',
    'Ctrl-C cancels. The prompt is read from standard input if it is -, or if none is given and input is piped.'
  ],
  options: GENERATE_OPTIONS,

  async run(argv, { environment }) {
    const { stdin, stdout, stderr } = process
    const config = readGenerateConfig(argv, environment, { isPiped: !stdin.isTTY })
    const prompt = config.prompt ?? withoutLastLineBreak(await text(stdin))
    // Until here Ctrl-C exits at once; an interrupted download resumes the next time.
    const served = await loadServedModel(config.load, new TerminalReporter(stderr))
    // Imported on demand: it loads native code, which other commands and --help must not depend on.
    const { generate } = await import('../generate.ts')
    const interrupt = new AbortController()
    const onSignal = () => interrupt.abort()
    process.on('SIGINT', onSignal)
    try {
      const write = (piece: string) => void stdout.write(piece)
      const generated = await generate({ config, served, prompt, write, signal: interrupt.signal })
      stdout.write('\n')
      stderr.write(`${summary(generated)}\n`)
      if (generated.finish === 'cancelled') throw new ExitError(130, 'cancelled by Ctrl-C')
    } finally {
      process.off('SIGINT', onSignal)
    }
  }
}

/** Removes the line break that `echo` adds. */
function withoutLastLineBreak(piped: string): string {
  return piped.replace(/\r?\n$/, '')
}

function summary({ promptTokens, tokens, tokensPerSecond, firstTokenMs, finish }: Generated): string {
  return (
    `[${tokens} tokens, ${promptTokens} prompt tokens; first token after ${firstTokenMs.toFixed(0)} ms, ` +
    `then ${tokensPerSecond.toFixed(1)} tokens/s; finish: ${finish}]`
  )
}
