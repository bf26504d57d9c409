import type { LoggedEvent } from '../../inference/contract/events.ts'
import type { Dialect } from '../wire/dialect.ts'
import { openCompletion, toChunk, toLastChunk } from './present.ts'
import { CompletionView } from './view.ts'

/** OpenAI's completions API. */
export const completionDialect: Dialect = {
  name: 'completions',
  presenter(stored) {
    const view = CompletionView.parse(stored)
    return { chunks: event => [...toChunks(view, event)], open: () => openCompletion(view) }
  }
}

function* toChunks(view: CompletionView, event: LoggedEvent) {
  const chunk = toChunk(view, event)
  if (chunk !== null) yield chunk
  if (event.kind === 'finished' && (view.includeUsage || view.withTimings)) yield toLastChunk(view, event)
}
