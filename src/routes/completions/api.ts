import type { LoggedEvent } from '../../inference/contract/events.ts'
import type { GenerationApi } from '../wire/generation-api.ts'
import { admit } from './admit.ts'
import { openCompletion } from './answer.ts'
import { CompletionBody } from './body.ts'
import { toChunks, toLastChunk } from './present.ts'
import type { Completion } from './schema.ts'
import { CompletionView, toView } from './view.ts'

/** OpenAI's completions API: prompts in, texts out. */
export const completionApi: GenerationApi<CompletionBody> = {
  name: 'completions',
  path: '/v1/completions',
  messageType: 'completion.create',
  idPrefix: 'cmpl-',
  schema: CompletionBody,
  admit,
  toView: (body, request, { card }) => toView(body, request, card),
  presenter(stored) {
    const view = CompletionView.parse(stored)
    return { chunks: event => allChunks(view, event), open: () => openCompletion(view) }
  }
}

function* allChunks(view: CompletionView, event: LoggedEvent): Generator<Completion, void> {
  yield* toChunks(view, event)
  if (event.kind === 'finished' && (view.includeUsage || view.withTimings)) yield toLastChunk(view, event)
}
