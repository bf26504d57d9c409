/** Our own bug: a state that the house promises never to reach. Never shown to a client. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** @throws {InvariantError} when `condition` is false: a bug of ours, never the client's fault */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
