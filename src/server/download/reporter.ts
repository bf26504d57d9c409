/** Receives the messages of a command to its user. */
export interface Reporter {
  line(text: string): void
  /** Reports a problem; the command may continue. */
  problem(text: string): void
  /** The caller must call `end`. */
  progress(totalBytes: number, doneBytes: number): Progress
}

export interface Progress {
  update(doneBytes: number): void
  end(): void
}

/** `98.4 MB`: decimal, as download pages show it. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
