import type { QueueDepth } from '../../queue/queue.ts'

/** What the house knows of its own health. Open to everyone: names and numbers only, nothing secret. */
export interface Status {
  /** A worker has proved progress lately, or idles and answers; and texts can be tokenized. */
  isHealthy(): boolean
  /** New work could be taken if the queue can be reached: models loaded, texts can be tokenized, not draining. */
  isReady(): boolean
  /** Of this process and its workers alone: answers at once, whatever state the queue is in. */
  detail(): Readonly<Record<string, string | number | boolean | null>>
  /** Requests in the queue; null while it cannot be reached. */
  depth(): Promise<QueueDepth | null>
}
