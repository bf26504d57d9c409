/** 2: a mistake in the command line or the configuration; 1: any other failure; 130: Ctrl-C, as shells report it. */
export type ExitCode = 1 | 2 | 130

/** Ends a command. The message is printed: one line, or one line for each mistake. */
export class ExitError extends Error {
  override readonly name = 'ExitError'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = exitCode
  }
}
