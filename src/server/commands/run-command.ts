import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ServiceError } from '../../inference/contract/errors.ts'
import { ModelFileError } from '../../inference/weights/model-file-error.ts'
import { readEnvironment } from '../config/environment.ts'
import { ExitError } from '../config/exit-error.ts'
import { optionsHelp } from '../config/help.ts'
import { nearest } from '../config/nearest.ts'
import type { Command } from './command.ts'
import { doctorCommand } from './doctor.ts'
import { generateCommand } from './generate.ts'
import { modelsCommand } from './models.ts'
import { serveCommand } from './serve.ts'
import { TerminalReporter } from './terminal-reporter.ts'
import { workerCommand } from './worker.ts'

const COMMANDS: readonly Command[] = [serveCommand, workerCommand, generateCommand, modelsCommand, doctorCommand]

/**
 * Runs one command line.
 *
 * @param argv  without the program's name
 * @returns     exit code, once the command has ended: 0 good, 1 the world's fault, 2 a mistake in the command line
 */
export async function runCommand(argv: readonly string[]): Promise<number> {
  // Whoever read our output (`| head`) may stop: that ends no command, least of all a server.
  for (const out of [process.stdout, process.stderr]) out.on('error', goOnWithoutReader)
  try {
    await dispatch(argv)
    return 0
  } catch (error) {
    const end = error instanceof ExitError ? error : systemFault(error)
    for (const line of end.message.split('\n')) console.error(`everstream: ${line}`)
    if (end.exitCode === 2) console.error('everstream: try --help')
    return end.exitCode
  }
}

function goOnWithoutReader(error: Error): void {
  if (!('code' in error) || error.code !== 'EPIPE') throw error
}

/**
 * What the system (a file, a folder, a port) or a part of ours refuses is said in its words; anything else is our bug,
 * and is thrown on with its stack.
 */
function systemFault(error: unknown): ExitError {
  if (error instanceof ServiceError || error instanceof ModelFileError || (error instanceof Error && 'syscall' in error))
    return new ExitError(1, error.message, { cause: error })
  throw error
}

async function dispatch([name, ...rest]: readonly string[]): Promise<void> {
  if (name === '--version' || name === '-v') return console.log(await version())
  if (name === 'help' || name === '--help' || name === '-h') return console.log(helpFor(rest[0]))
  const command = COMMANDS.find(candidate => candidate.name === name)
  if (command === undefined) throw new ExitError(2, unknownCommand(name))
  if (asksForHelp(rest)) return console.log(commandHelp(command))
  await command.run(rest, { environment: readEnvironment(), reporter: new TerminalReporter(process.stdout) })
}

function asksForHelp(argv: readonly string[]): boolean {
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  return own.includes('--help') || own.includes('-h')
}

function unknownCommand(name: string | undefined): string {
  const names = COMMANDS.map(command => command.name)
  if (name === undefined) return `which command? There are ${names.join(', ')} and help`
  const guess = nearest(name, [...names, 'help'])
  return `there is no command ${JSON.stringify(name)}: ${guess === null ? `there are ${names.join(', ')} and help` : `did you mean ${guess}?`}`
}

function helpFor(name: string | undefined): string {
  const command = COMMANDS.find(candidate => candidate.name === name)
  return command === undefined ? overview() : commandHelp(command)
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name, usage }) => `${name} ${usage}`.length))
  return [
    'everstream: an OpenAI-compatible text-generation server: continuous batching on ONNX Runtime, without Python.',
    '',
    'Usage: everstream <command> [options]',
    '',
    ...COMMANDS.map(({ name, usage, summary }) => `  ${`${name} ${usage}`.padEnd(width)}  ${summary}`),
    `  ${'help [command]'.padEnd(width)}  This page, or all about a command.`,
    `  ${'--version'.padEnd(width)}  The version.`,
    '',
    'From a checkout: npm start (serves the default model on http://127.0.0.1:8000), npm start -- --port 9000,',
    'npx everstream <command>. Is something wrong? npx everstream doctor.'
  ].join('\n')
}

function commandHelp({ name, usage, summary, details, options }: Command): string {
  const head = [`Usage: everstream ${name} ${usage}`, '', summary, ...(details.length > 0 ? ['', ...details.map(line => `  ${line}`)] : [])]
  return [...head, '', optionsHelp(options)].join('\n')
}

async function version(): Promise<string> {
  const file = join(import.meta.dirname, '..', '..', '..', 'package.json')
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(file, 'utf8'))).version
}
