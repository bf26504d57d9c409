import { parentPort, workerData } from 'node:worker_threads'
import { invariant } from '../contract/invariant.ts'
import { openEncoder, type TextSource } from './text-source.ts'

/** A text to the thread. */
export interface TextJob {
  readonly jobId: number
  readonly text: string
}

/** Ids, or what went wrong. */
export type TextAnswer =
  | { readonly kind: 'ready'; readonly vocabularySize: number }
  | { readonly kind: 'unusable'; readonly message: string }
  | { readonly kind: 'ids'; readonly jobId: number; readonly tokenIds: Int32Array<ArrayBuffer> }
  | { readonly kind: 'refused'; readonly jobId: number; readonly message: string }

invariant(parentPort !== null, 'text-thread.ts is the entry of a thread')
const port = parentPort
const answer = (message: TextAnswer, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

try {
  const encoder = await openEncoder(workerData as TextSource)
  port.on('message', ({ jobId, text }: TextJob) => {
    try {
      const tokenIds = Int32Array.from(encoder.encode(text))
      answer({ kind: 'ids', jobId, tokenIds }, [tokenIds.buffer])
    } catch (error) {
      answer({ kind: 'refused', jobId, message: messageOf(error) })
    }
  })
  answer({ kind: 'ready', vocabularySize: encoder.vocabularySize })
} catch (error) {
  answer({ kind: 'unusable', message: messageOf(error) })
}
