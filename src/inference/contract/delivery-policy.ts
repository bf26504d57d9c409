/**
 * What happens to a request without readers. `cancel`: its reader cancels it on disconnect (a plain request; if the
 * reader's process dies, the request's lease expires). `grace`: it is cancelled some time after the last reader left.
 * `run`: it runs to its end.
 */
export type OnDisconnect = 'cancel' | 'grace' | 'run'

/** What the queue stores of a request besides the work itself: who may read it, when and how. Plain data. */
export interface DeliveryPolicy {
  /** Identifies the caller without revealing the API key; only the owner may read or cancel. */
  readonly owner: string
  readonly onDisconnect: OnDisconnect
  /** Unix milliseconds at which the request fails with `deadline_exceeded`; null: never. */
  readonly deadlineAtMs: number | null
  /** Lower is served first, as in vLLM; 0 is the default. Requests of equal priority are served in order of arrival. */
  readonly priority: number
  /** How the dialect presents the events: written and read by the route, opaque to the queue. */
  readonly presentation: string
  /** A retry with the same key gets the same request. The key is scoped by `owner`. */
  readonly idempotency: IdempotencyClaim | null
}

export interface IdempotencyClaim {
  readonly key: string
  /** Digest of the request: the same key with another digest is rejected. */
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
