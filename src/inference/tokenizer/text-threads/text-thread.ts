import { parentPort, workerData } from 'node:worker_threads'
import { type Failure, ServiceError } from '../../contract/errors.ts'
import { invariant } from '../../contract/invariant.ts'
import type { TextSource } from '../model-files/text-source.ts'
import { type LoadedText, openTextWork, type TextResult, type TextTask } from './text-work.ts'

/** Messages of the thread: first `ready` or `unusable`, then one answer per task, in order. */
export type TextAnswer =
  | ({ readonly kind: 'ready' } & LoadedText)
  | { readonly kind: 'unusable'; readonly failure: Failure }
  | { readonly kind: 'done'; readonly result: TextResult }
  | { readonly kind: 'refused'; readonly failure: Failure }

invariant(parentPort !== null, 'text-thread.ts is the entry point of a thread')
const port = parentPort
const answer = (message: TextAnswer, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)

function failureOf(error: unknown, context = ''): Failure {
  if (error instanceof ServiceError) return error.toFailure()
  return { code: 'unavailable', message: context + (error instanceof Error ? error.message : String(error)), param: null }
}

try {
  const { vocabularySize, facts, bound, run } = await openTextWork(workerData as TextSource)
  port.on('message', (task: TextTask) => {
    try {
      const result = run(task)
      answer({ kind: 'done', result }, result.kind === 'ids' ? [result.tokenIds.buffer] : [])
    } catch (error) {
      answer({ kind: 'refused', failure: failureOf(error, 'the tokenizer failed: ') })
    }
  })
  port.on('messageerror', error => answer({ kind: 'refused', failure: failureOf(error, 'the text cannot be deserialized: ') }))
  answer({ kind: 'ready', vocabularySize, facts, bound })
} catch (error) {
  answer({ kind: 'unusable', failure: failureOf(error) })
}
