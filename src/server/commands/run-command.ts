import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ServiceError } from '../../inference/contract/errors.ts'
import { ModelFileError } from '../../inference/weights/model-file-error.ts'
import { readEnvironment } from '../config/environment.ts'
import { ExitError } from '../config/exit-error.ts'
import { nearest } from '../config/nearest.ts'
import { errorCode } from '../error-facts.ts'
import type { Command } from './command.ts'
import { doctorCommand } from './doctor.ts'
import { generateCommand } from './generate.ts'
import { commandHelp, overview } from './help.ts'
import { modelsCommand } from './models.ts'
import { serveCommand } from './serve.ts'
import { TerminalReporter } from './terminal-reporter.ts'
import { workerCommand } from './worker.ts'

const COMMANDS: readonly Command[] = [serveCommand, workerCommand, generateCommand, modelsCommand, doctorCommand]

/**
 * Runs one command line.
 *
 * @param argv  without the program's name
 * @returns     exit code, once the command has ended: 0 success, 1 failure, 2 a mistake in the command line
 */
export async function runCommand(argv: readonly string[]): Promise<number> {
  // The reader of a pipe (`| head`) may close it: that must not end a command, least of all a server.
  for (const out of [process.stdout, process.stderr]) out.on('error', ignoreClosedPipe)
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

function ignoreClosedPipe(error: Error): void {
  if (errorCode(error) !== 'EPIPE') throw error
}

/**
 * Errors of the system (a file, a folder, a port) and of this program's own checks end with their message; anything
 * else is a bug and is rethrown with its stack.
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
  if (requestsHelp(rest)) return console.log(commandHelp(command))
  await command.run(rest, { environment: readEnvironment(), reporter: new TerminalReporter(process.stdout) })
}

function requestsHelp(argv: readonly string[]): boolean {
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  return own.includes('--help') || own.includes('-h')
}

function unknownCommand(name: string | undefined): string {
  const names = COMMANDS.map(command => command.name)
  if (name === undefined) return `no command given; the commands are ${names.join(', ')} and help`
  const guess = nearest(name, [...names, 'help'])
  return `unknown command ${JSON.stringify(name)}: ${guess === null ? `the commands are ${names.join(', ')} and help` : `did you mean ${guess}?`}`
}

function helpFor(name: string | undefined): string {
  const command = COMMANDS.find(candidate => candidate.name === name)
  return command === undefined ? overview(COMMANDS) : commandHelp(command)
}

async function version(): Promise<string> {
  const file = join(import.meta.dirname, '..', '..', '..', 'package.json')
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(file, 'utf8'))).version
}
