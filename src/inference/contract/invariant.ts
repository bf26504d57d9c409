/** A bug in this program: a state that must be unreachable. Never shown to a client. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** @throws {InvariantError} when `condition` is false: a bug in this program, never the client's fault */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
