/**
 * What becomes of a request while nobody reads it. `cancel`: whoever read it cancels it (a plain request; should that
 * process die, its lease runs out). `grace`: it is cancelled a while after the last reader left. `run`: it runs to its
 * end.
 */
export type OnDisconnect = 'cancel' | 'grace' | 'run'

/** What the queue keeps of a request beside the work itself, for whoever asks for it later. Plain data. */
export interface DeliveryPolicy {
  /** A name for the caller that is not the key; only the owner may read or cancel. */
  readonly owner: string
  readonly onDisconnect: OnDisconnect
  /** Unix milliseconds at which the request fails with `deadline_exceeded`; null: never. */
  readonly deadlineAtMs: number | null
  /** Lower is served first (vLLM's order); 0 is the default. Equal ones in the order of arrival. */
  readonly priority: number
  /** How its dialect presents the events: the route's own words, which the queue keeps and does not read. */
  readonly presentation: string
  /** A retry with the same key is given the same request. The key is scoped by `owner`. */
  readonly idempotency: IdempotencyClaim | null
}

export interface IdempotencyClaim {
  readonly key: string
  /** Digest of what the key stands for: the same key with another digest is refused. */
  readonly digest: string
}

export const PLAIN_DELIVERY: DeliveryPolicy = {
  owner: '',
  onDisconnect: 'cancel',
  deadlineAtMs: null,
  priority: 0,
  presentation: '',
  idempotency: null
}
