import type { Environment } from '../config/environment.ts'
import type { OptionKey } from '../config/options.ts'
import type { Reporter } from '../download/reporter.ts'

/** The parts of the process that a command uses; replaced in tests. */
export interface CommandContext {
  readonly environment: Environment
  readonly reporter: Reporter
}

/** A subcommand. */
export interface Command {
  readonly name: string
  /** The arguments after the name, for `--help`. */
  readonly usage: string
  readonly summary: string
  /** Further lines for `--help`. */
  readonly details: readonly string[]
  readonly options: readonly OptionKey[]
  /**
   * @param argv  the arguments after the command's name
   * @throws {ExitError} with the exit code and the message to print
   */
  run(argv: readonly string[], context: CommandContext): Promise<void>
}
