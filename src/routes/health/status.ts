import type { QueueDepth } from '../../queue/queue.ts'

/** Health of the server. Public: it contains names and numbers only, and no secrets. */
export interface Status {
  /** Whether a worker makes progress, or is idle and responds, and the tokenizer works. */
  isHealthy(): boolean
  /** Whether requests are accepted if the queue is reachable: models loaded, tokenizer working, not draining. */
  isReady(): boolean
  /** Facts about this process and its workers, available without the queue. */
  detail(): Readonly<Record<string, string | number | boolean | null>>
  /** Requests in the queue; null while it is unreachable. */
  depth(): Promise<QueueDepth | null>
}
