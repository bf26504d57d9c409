import { ChatBody } from '../../routes/chat/body.ts'
import { ChatCompletionChunkSchema, ChatCompletionSchema } from '../../routes/chat/schema.ts'
import { CompletionBody } from '../../routes/completions/body.ts'
import { CompletionSchema } from '../../routes/completions/schema.ts'
import { StatusSchema } from '../../routes/health/schema.ts'
import { ModelListSchema, ModelSchema } from '../../routes/models/schema.ts'
import { StreamQuery } from '../../routes/streams/route.ts'
import { StreamSchema } from '../../routes/streams/schema.ts'
import { DetokenizeBody, TokenizeBody } from '../../routes/tokenize/body.ts'
import { DetokenizedSchema, RenderedSchema, TokenizedSchema, TokenizerInfoSchema } from '../../routes/tokenize/schema.ts'
import { StreamStateSchema } from '../../routes/wire/stream/stream-state.ts'
import type { Operation } from './operation.ts'

const GENERATION_HEADERS = {
  'idempotency-key': 'Makes the request idempotent: a repeated request with the same key and body returns the result of the first one.',
  'x-resumable': 'If `true`, the request continues for a limited time after a disconnect and can be resumed with GET /v1/streams/{id}.',
  'x-request-timeout-ms': 'Time limit in milliseconds; a request that exceeds it fails with 504.'
}
const GENERATION = {
  method: 'POST',
  headers: GENERATION_HEADERS,
  errors: [
    'model_not_found',
    'context_overflow',
    'idempotency_mismatch',
    'queue_full',
    'deadline_exceeded',
    'stream_lost',
    'poisoned',
    'engine_failure'
  ]
} as const satisfies Partial<Operation>
const IN_BACKGROUND = { description: 'The status of the request, for `background` without `stream`.', json: StreamStateSchema }
const TEXT = ['model_not_found', 'context_overflow'] as const

/** All operations of the API. A test compares them with the declared routes. */
export const OPERATIONS: readonly Operation[] = [
  {
    ...GENERATION,
    url: '/v1/completions',
    tag: 'Generation',
    summary: 'Create a completion.',
    body: CompletionBody,
    answers: {
      200: { description: 'The completion, or its chunks if `stream` is set.', json: CompletionSchema, events: CompletionSchema },
      202: IN_BACKGROUND
    }
  },
  {
    method: 'GET',
    url: '/v1/completions',
    tag: 'Generation',
    summary: 'Open a WebSocket for many concurrent requests.',
    answers: { 101: { description: 'The WebSocket is open.' }, 405: { description: 'The request is not a WebSocket upgrade.' } },
    errors: ['forbidden']
  },
  {
    ...GENERATION,
    url: '/v1/chat/completions',
    tag: 'Generation',
    summary: 'Create a chat completion.',
    body: ChatBody,
    answers: {
      200: {
        description: 'The chat completion, or its chunks if `stream` is set.',
        json: ChatCompletionSchema,
        events: ChatCompletionChunkSchema
      },
      202: IN_BACKGROUND
    }
  },
  {
    method: 'GET',
    url: '/v1/streams/:id',
    tag: 'Streams',
    summary: 'Resume a request after any of its events.',
    query: StreamQuery,
    headers: { 'last-event-id': 'Id of the last event that the client received; `starting_after` takes precedence.' },
    answers: {
      200: {
        description: 'The following events, or the result so far if `stream=false`.',
        json: StreamSchema,
        events: CompletionSchema
      },
      204: { description: 'There are no more events.' }
    },
    errors: ['not_found', 'stream_lost']
  },
  {
    method: 'DELETE',
    url: '/v1/streams/:id',
    tag: 'Streams',
    summary: 'Cancel a request.',
    answers: { 200: { description: 'The result so far.', json: StreamSchema } },
    errors: ['not_found']
  },
  {
    method: 'GET',
    url: '/v1/models',
    tag: 'Models',
    summary: 'List the models.',
    answers: { 200: { description: 'A list of the one model that is served.', json: ModelListSchema } }
  },
  {
    method: 'GET',
    url: '/v1/models/*',
    tag: 'Models',
    summary: 'Retrieve the model.',
    answers: { 200: { description: 'The model.', json: ModelSchema } },
    errors: ['model_not_found']
  },
  {
    method: 'POST',
    url: '/v1/completions/render',
    tag: 'Tokens',
    summary: 'Render the prompt without generating.',
    body: CompletionBody,
    answers: { 200: { description: 'The prompts as token ids and as text.', json: RenderedSchema } },
    errors: TEXT
  },
  {
    method: 'POST',
    url: '/v1/chat/completions/render',
    tag: 'Tokens',
    summary: 'Render the prompt of a conversation without generating.',
    body: ChatBody,
    answers: { 200: { description: 'The prompt as token ids and as text.', json: RenderedSchema } },
    errors: TEXT
  },
  {
    method: 'POST',
    url: '/tokenize',
    tag: 'Tokens',
    summary: 'Tokenize a text or a conversation.',
    body: TokenizeBody,
    answers: { 200: { description: 'The token ids.', json: TokenizedSchema } },
    errors: ['model_not_found']
  },
  {
    method: 'POST',
    url: '/detokenize',
    tag: 'Tokens',
    summary: 'Convert token ids to text.',
    body: DetokenizeBody,
    answers: { 200: { description: 'The text.', json: DetokenizedSchema } },
    errors: ['model_not_found']
  },
  {
    method: 'GET',
    url: '/tokenizer_info',
    tag: 'Tokens',
    summary: 'Retrieve information about the tokenizer.',
    answers: { 200: { description: 'Special tokens and chat template.', json: TokenizerInfoSchema } }
  },
  {
    method: 'GET',
    url: '/health',
    tag: 'Operation',
    summary: 'Check liveness. Requires no API key.',
    answers: {
      200: { description: 'A worker is making progress.', json: StatusSchema },
      503: { description: 'No worker is making progress.', json: StatusSchema }
    }
  },
  {
    method: 'GET',
    url: '/ready',
    tag: 'Operation',
    summary: 'Check readiness. Requires no API key.',
    answers: {
      200: { description: 'The server accepts new requests.', json: StatusSchema },
      503: { description: 'The server does not accept new requests.', json: StatusSchema }
    }
  },
  {
    method: 'GET',
    url: '/metrics',
    tag: 'Operation',
    summary: 'Retrieve metrics for Prometheus.',
    answers: { 200: { description: 'Metrics in the text format of Prometheus.', otherType: 'text/plain' } }
  },
  {
    method: 'GET',
    url: '/openapi.json',
    tag: 'Operation',
    summary: 'Retrieve this document.',
    answers: { 200: { description: 'An OpenAPI 3.1 document.', otherType: 'application/json' } }
  },
  {
    method: 'GET',
    url: '/docs',
    tag: 'Operation',
    summary: 'Show this document as a web page.',
    answers: { 200: { description: 'An HTML page.', otherType: 'text/html' } }
  }
]
