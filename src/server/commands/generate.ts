import { text } from 'node:stream/consumers'
import { ExitError } from '../config/exit-error.ts'
import { GENERATE_OPTIONS, readGenerateConfig } from '../config/generate-config.ts'
import type { Generated } from '../generate.ts'
import { loadServedModel } from '../served-model.ts'
import type { Command } from './command.ts'
import { TerminalReporter } from './terminal-reporter.ts'

/** One text on the terminal. */
export const generateCommand: Command = {
  name: 'generate',
  usage: '[options] <prompt>',
  summary: 'Write one text on the terminal, as it is made.',
  details: [
    'everstream generate "The capital of France is"',
    'cat letter.txt | everstream generate --max-tokens 200 -',
    '',
    'The model goes on from the prompt. The text goes to standard output and everything else to standard error,',
    'so that > file keeps the text alone. Ctrl-C ends it. The prompt comes from standard input where it is -, or',
    'where there is none and something is piped in.'
  ],
  options: GENERATE_OPTIONS,

  async run(argv, { environment }) {
    const { stdin, stdout, stderr } = process
    const config = readGenerateConfig(argv, environment, { isPiped: !stdin.isTTY })
    const prompt = config.prompt ?? withoutLastLineBreak(await text(stdin))
    // Ctrl-C ends what comes before at once: a download goes on the next time.
    const served = await loadServedModel(config.load, new TerminalReporter(stderr))
    // Loads native code, which no other command and no help page should depend on.
    const { generate } = await import('../generate.ts')
    const interrupt = new AbortController()
    const onSignal = () => interrupt.abort()
    process.on('SIGINT', onSignal)
    try {
      const write = (piece: string) => void stdout.write(piece)
      const generated = await generate({ config, served, prompt, write, signal: interrupt.signal })
      stdout.write('\n')
      stderr.write(`${summary(generated)}\n`)
      if (generated.finish === 'cancelled') throw new ExitError(130, 'ended by Ctrl-C')
    } finally {
      process.off('SIGINT', onSignal)
    }
  }
}

/** `echo prompt |` means the prompt. */
function withoutLastLineBreak(piped: string): string {
  return piped.replace(/\r?\n$/, '')
}

function summary({ promptTokens, tokens, tokensPerSecond, firstTokenMs, finish }: Generated): string {
  return (
    `[${tokens} tokens after ${promptTokens} of prompt; first after ${firstTokenMs.toFixed(0)} ms, ` +
    `then ${tokensPerSecond.toFixed(1)} tokens/s; finish: ${finish}]`
  )
}
