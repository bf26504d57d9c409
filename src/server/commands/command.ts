import type { Environment } from '../config/environment.ts'
import type { OptionKey } from '../config/options.ts'
import type { Reporter } from '../download/reporter.ts'

/** What a command is given by the process; a test gives its own. */
export interface CommandContext {
  readonly environment: Environment
  readonly reporter: Reporter
}

/** One word of the command line. */
export interface Command {
  readonly name: string
  /** After the name, for `--help`. */
  readonly usage: string
  readonly summary: string
  /** More for `--help`, in whole lines. */
  readonly details: readonly string[]
  readonly options: readonly OptionKey[]
  /**
   * @param argv  what follows the command's name
   * @throws {ExitError} with the exit code and lines for people
   */
  run(argv: readonly string[], context: CommandContext): Promise<void>
}
