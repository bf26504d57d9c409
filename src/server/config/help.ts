import { flagOf, OPTIONS, type Option, type OptionKey, variableOf } from './options.ts'

const WIDTH = 100
const INDENT = '      '

/** The options named, in groups, for people: each with its variable and its default. */
export function optionsHelp(keys: readonly OptionKey[]): string {
  const groups = Map.groupBy(keys, key => OPTIONS[key].group)
  const sections = [...groups].map(([group, members]) => [`${group}:`, ...members.map(optionHelp)].join('\n'))
  return [...sections, 'Every option is also an environment variable, named at the end of its line; the command line wins.'].join('\n\n')
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
