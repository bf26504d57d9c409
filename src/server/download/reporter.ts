/** Where a command says what it does, in plain words. */
export interface Reporter {
  line(text: string): void
  /** Something went wrong, and the command may go on. */
  problem(text: string): void
  /** The caller ends what it began. */
  progress(totalBytes: number, doneBytes: number): Progress
}

export interface Progress {
  update(doneBytes: number): void
  end(): void
}

/** `98.4 MB`: decimal, as download pages write it. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
