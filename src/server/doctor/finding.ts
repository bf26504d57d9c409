/** One line of a doctor's report. */
export interface Finding {
  readonly name: string
  /** `note` informs: nothing depends on it. */
  readonly state: 'ok' | 'info' | 'problem'
  readonly text: string
  /** What to type or change; null where there is nothing to do. */
  readonly todo: string | null
}

export function ok(name: string, text: string): Finding {
  return { name, state: 'ok', text, todo: null }
}

export function info(name: string, text: string, todo: string | null = null): Finding {
  return { name, state: 'info', text, todo }
}

export function problem(name: string, text: string, todo: string): Finding {
  return { name, state: 'problem', text, todo }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
