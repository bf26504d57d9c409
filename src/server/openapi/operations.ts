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

const TERMS = {
  'idempotency-key': 'A request with the key and body of an earlier one is answered with that one.',
  'x-resumable': '`true`: the request outlives its connection for a while, and can be taken up with GET /v1/streams/{id}.',
  'x-request-timeout-ms': 'The request fails with a 504 when it has not ended by then.'
}
const GENERATION = {
  method: 'POST',
  headers: TERMS,
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
const IN_BACKGROUND = { description: 'With `background` and without `stream`: where it stands.', json: StreamStateSchema }
const TEXT = ['model_not_found', 'context_overflow'] as const

/** All that the server can be asked for. A test holds it to the routes that are declared. */
export const OPERATIONS: readonly Operation[] = [
  {
    ...GENERATION,
    url: '/v1/completions',
    tag: 'Generation',
    summary: 'Goes on with prompts.',
    body: CompletionBody,
    answers: {
      200: { description: 'The completion, or with `stream` its chunks.', json: CompletionSchema, events: CompletionSchema },
      202: IN_BACKGROUND
    }
  },
  {
    method: 'GET',
    url: '/v1/completions',
    tag: 'Generation',
    summary: 'Opens a WebSocket, on which many requests are made and followed at once.',
    answers: { 101: { description: 'The socket is open.' }, 405: { description: 'The request asked for no upgrade to a WebSocket.' } },
    errors: ['forbidden']
  },
  {
    ...GENERATION,
    url: '/v1/chat/completions',
    tag: 'Generation',
    summary: 'Says the next message of a conversation.',
    body: ChatBody,
    answers: {
      200: { description: 'The message, or with `stream` its chunks.', json: ChatCompletionSchema, events: ChatCompletionChunkSchema },
      202: IN_BACKGROUND
    }
  },
  {
    method: 'GET',
    url: '/v1/streams/:id',
    tag: 'Streams',
    summary: 'Takes a request up again, behind any of its events.',
    query: StreamQuery,
    headers: { 'last-event-id': 'The number of the last event that was read; `starting_after` goes before it.' },
    answers: {
      200: {
        description: 'The events that follow, or with `stream=false` the answer so far.',
        json: StreamSchema,
        events: CompletionSchema
      },
      204: { description: 'There is nothing more.' }
    },
    errors: ['not_found', 'stream_lost']
  },
  {
    method: 'DELETE',
    url: '/v1/streams/:id',
    tag: 'Streams',
    summary: 'Cancels a request.',
    answers: { 200: { description: 'The answer so far.', json: StreamSchema } },
    errors: ['not_found']
  },
  {
    method: 'GET',
    url: '/v1/models',
    tag: 'Models',
    summary: 'Lists the model of this server.',
    answers: { 200: { description: 'A list of one.', json: ModelListSchema } }
  },
  {
    method: 'GET',
    url: '/v1/models/*',
    tag: 'Models',
    summary: 'Describes the model of this server.',
    answers: { 200: { description: 'The model.', json: ModelSchema } },
    errors: ['model_not_found']
  },
  {
    method: 'POST',
    url: '/v1/completions/render',
    tag: 'Tokens',
    summary: 'Tells what the model would be prompted with.',
    body: CompletionBody,
    answers: { 200: { description: 'Prompts as token ids, and their text.', json: RenderedSchema } },
    errors: TEXT
  },
  {
    method: 'POST',
    url: '/v1/chat/completions/render',
    tag: 'Tokens',
    summary: 'Tells what the model would be prompted with.',
    body: ChatBody,
    answers: { 200: { description: 'The conversation as token ids, and their text.', json: RenderedSchema } },
    errors: TEXT
  },
  {
    method: 'POST',
    url: '/tokenize',
    tag: 'Tokens',
    summary: 'Turns a text or a conversation into token ids.',
    body: TokenizeBody,
    answers: { 200: { description: 'Token ids.', json: TokenizedSchema } },
    errors: ['model_not_found']
  },
  {
    method: 'POST',
    url: '/detokenize',
    tag: 'Tokens',
    summary: 'Turns token ids into text.',
    body: DetokenizeBody,
    answers: { 200: { description: 'A text.', json: DetokenizedSchema } },
    errors: ['model_not_found']
  },
  {
    method: 'GET',
    url: '/tokenizer_info',
    tag: 'Tokens',
    summary: 'Describes the tokenizer.',
    answers: { 200: { description: 'Its special tokens and its template.', json: TokenizerInfoSchema } }
  },
  {
    method: 'GET',
    url: '/health',
    tag: 'Operation',
    summary: 'Says whether a worker makes progress. Needs no key.',
    answers: { 200: { description: 'One does.', json: StatusSchema }, 503: { description: 'None does.', json: StatusSchema } }
  },
  {
    method: 'GET',
    url: '/ready',
    tag: 'Operation',
    summary: 'Says whether new work is taken. Needs no key.',
    answers: { 200: { description: 'It is.', json: StatusSchema }, 503: { description: 'It is not.', json: StatusSchema } }
  },
  {
    method: 'GET',
    url: '/metrics',
    tag: 'Operation',
    summary: 'Figures for Prometheus.',
    answers: { 200: { description: 'Its text format.', otherType: 'text/plain' } }
  },
  {
    method: 'GET',
    url: '/openapi.json',
    tag: 'Operation',
    summary: 'This document.',
    answers: { 200: { description: 'OpenAPI 3.1.', otherType: 'application/json' } }
  },
  {
    method: 'GET',
    url: '/docs',
    tag: 'Operation',
    summary: 'This document as a page.',
    answers: { 200: { description: 'A page.', otherType: 'text/html' } }
  }
]
