import { flagOf, OPTIONS, type Option, type OptionKey, variableOf } from '../config/options.ts'
import type { Command } from './command.ts'

const WIDTH = 100
const INDENT = '      '

export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name, usage }) => `${name} ${usage}`.length))
  return [
    'everstream: an OpenAI-compatible text-generation server with continuous batching on ONNX Runtime, without Python.',
    '',
    'Usage: everstream <command> [options]',
    '',
    ...commands.map(({ name, usage, summary }) => `  ${`${name} ${usage}`.padEnd(width)}  ${summary}`),
    `  ${'help [command]'.padEnd(width)}  Show this page, or the help of a command.`,
    `  ${'--version'.padEnd(width)}  Show the version.`,
    '',
    'From a checkout: npm start (serves the default model on http://127.0.0.1:8000), npm start -- --port 9000,',
    'npx everstream <command>. To diagnose problems: npx everstream doctor.'
  ].join('\n')
}

export function commandHelp({ name, usage, summary, details, options }: Command): string {
  const head = [`Usage: everstream ${name} ${usage}`, '', summary, ...(details.length > 0 ? ['', ...details.map(line => `  ${line}`)] : [])]
  return [...head, '', optionsHelp(options)].join('\n')
}

/** The named options in groups, each with its variable and its default. */
export function optionsHelp(keys: readonly OptionKey[]): string {
  const groups = Map.groupBy(keys, key => OPTIONS[key].group)
  const sections = [...groups].map(([group, members]) => [`${group}:`, ...members.map(optionHelp)].join('\n'))
  return [...sections, 'Every option is also an environment variable (in brackets); the command line takes precedence.'].join('\n\n')
}

function optionHelp(key: OptionKey): string {
  const { placeholder, shownDefault, help }: Option<unknown, unknown> = OPTIONS[key]
  const head = `  --${flagOf(key)}${placeholder === null ? '' : ` ${placeholder}`}`
  const tail = [variableOf(key), ...(shownDefault === null ? [] : [`default: ${shownDefault}`])].join('; ')
  return [head, ...wrap(`${help} [${tail}]`)].join('\n')
}

function wrap(text: string): string[] {
  const lines: string[] = []
  let line = INDENT
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH && line !== INDENT) {
      lines.push(line.trimEnd())
      line = INDENT
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()]
}
