import { parseArgs } from 'node:util'
import { z } from 'zod'
import { nearest } from './nearest.ts'
import { flagOf, OPTIONS, type Option, type OptionKey, variableOf } from './options.ts'

/** The values of the named options, with the types of the table of options. */
export type OptionValues<Key extends OptionKey = OptionKey> = {
  readonly [K in Key]: (typeof OPTIONS)[K] extends Option<infer Value, infer Fallback>
    ? Fallback extends null
      ? Value | null
      : Value
    : never
}

export interface ParsedOptions<Key extends OptionKey> {
  /** Complete if `mistakes` is empty. */
  readonly values: OptionValues<Key>
  readonly positionals: readonly string[]
  readonly wantsHelp: boolean
  /** One line each. */
  readonly mistakes: readonly string[]
}

interface Given {
  readonly text: string
  /** The name of the option in an error message: flag or variable. */
  readonly name: string
}

/**
 * Reads the options named by `keys` from the command line, then the environment, then the defaults. Never throws: all
 * mistakes are returned together.
 */
export function parseOptions<Key extends OptionKey>(
  keys: readonly Key[],
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>
): ParsedOptions<Key> {
  const mistakes: string[] = []
  const { given, positionals, wantsHelp } = readArguments(keys, argv, mistakes)
  for (const key of keys) {
    const text = environment[variableOf(key)]
    if (text !== undefined && text !== '' && !given.has(key)) given.set(key, { text, name: variableOf(key) })
  }

  const entries = keys.map(key => [key, readValue(key, given.get(key), mistakes)])
  return { values: Object.fromEntries(entries), positionals, wantsHelp, mistakes }
}

export function unexpectedArguments(positionals: readonly string[]): string[] {
  return positionals.map(word => `unexpected argument ${JSON.stringify(word)}`)
}

function readArguments<Key extends OptionKey>(keys: readonly Key[], argv: readonly string[], mistakes: string[]) {
  const keyOfFlag = new Map(keys.map(key => [flagOf(key), key]))
  const { tokens } = parseArgs({
    args: [...argv],
    options: {
      ...Object.fromEntries([...keyOfFlag].map(([flag, key]) => [flag, { type: isSwitch(key) ? 'boolean' : 'string' } as const])),
      help: { type: 'boolean', short: 'h' }
    },
    strict: false,
    tokens: true
  })

  const given = new Map<Key, Given>()
  const positionals: string[] = []
  let wantsHelp = false
  let unknownIndex: number | null = null
  for (const token of tokens) {
    // The argument after an unknown option is most likely its value: one mistake, one line.
    if (token.kind === 'positional' && token.index - 1 !== unknownIndex) positionals.push(token.value)
    if (token.kind !== 'option') continue
    const key = keyOfFlag.get(token.name)
    if (token.name === 'help' || token.name === 'h') wantsHelp = true
    else if (key === undefined) {
      mistakes.push(unknownOption(token.rawName, [...keyOfFlag.keys()]))
      unknownIndex = token.index
    } else if (isSwitch(key)) given.set(key, { text: token.value ?? 'true', name: token.rawName })
    else if (token.value === undefined) mistakes.push(`${token.rawName} needs a value: ${OPTIONS[key].placeholder}`)
    else if (!token.inlineValue && token.value.startsWith('--')) mistakes.push(`${token.rawName} needs a value before ${token.value}`)
    else given.set(key, { text: token.value, name: token.rawName })
  }
  return { given, positionals, wantsHelp }
}

function unknownOption(rawName: string, flags: readonly string[]): string {
  const guess = nearest(rawName.replace(/^-+/, ''), flags)
  return `unknown option ${rawName}${guess === null ? '' : `: did you mean --${guess}?`}`
}

function readValue(key: OptionKey, given: Given | undefined, mistakes: string[]): unknown {
  const { schema, fallback, isSecret }: Option<unknown, unknown> = OPTIONS[key]
  if (given === undefined) return fallback
  const { data, error } = z.safeParse(schema, given.text)
  if (error === undefined) return data
  const found = isSecret ? '' : `, not ${JSON.stringify(given.text)}`
  mistakes.push(`${given.name} must be ${error.issues[0]?.message}${found}`)
  return fallback
}

function isSwitch(key: OptionKey): boolean {
  return OPTIONS[key].placeholder === null
}
