/** A snapshot of the variables. Nobody else reads the environment of the process. */
export type Environment = Readonly<Record<string, string | undefined>>

export function readEnvironment(): Environment {
  return { ...process.env }
}
