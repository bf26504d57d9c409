import type { LoggedEvent } from '../../inference/contract/events.ts'
import type { Dialect } from '../wire/dialect.ts'
import { openCompletion } from './answer.ts'
import { type CompletionChunk, toChunks, toLastChunk } from './present.ts'
import { CompletionView } from './view.ts'

/** OpenAI's completions API. */
export const completionDialect: Dialect = {
  name: 'completions',
  presenter(stored) {
    const view = CompletionView.parse(stored)
    return { chunks: event => allChunks(view, event), open: () => openCompletion(view) }
  }
}

function* allChunks(view: CompletionView, event: LoggedEvent): Generator<CompletionChunk, void> {
  yield* toChunks(view, event)
  if (event.kind === 'finished' && (view.includeUsage || view.withTimings)) yield toLastChunk(view, event)
}
