/** One line of the report. */
export interface Finding {
  readonly name: string
  /** `info` needs no action. */
  readonly state: 'ok' | 'info' | 'problem'
  readonly text: string
  /** The suggested fix; null if there is none. */
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
