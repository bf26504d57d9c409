import { ServiceError } from '../../inference/contract/errors.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../../inference/contract/request.ts'
import type { TextPort } from '../../inference/contract/text-port.ts'
import { PLAIN_TICKET } from '../../inference/contract/ticket.ts'
import { assertServed, type ModelCard } from '../models/model-card.ts'
import { admitSampling, assertInVocabulary } from '../wire/admit-sampling.ts'
import type { ChatBody } from './body.ts'
import { renderPrompt, toConversation } from './conversation.ts'

export interface ChatAdmission {
  readonly text: TextPort
  readonly card: ModelCard
  readonly newSeed: () => number
  /** Of this request. */
  readonly id: string
  readonly admittedAtMs: number
  /** Separates the prefixes of one caller from those of another. */
  readonly callerSalt: string
  /** Text work that has not begun is dropped when the caller goes. */
  readonly signal?: AbortSignal
}

/**
 * The client's words end here; behind this line everything is in house words, rendered, tokenized and within the limits.
 *
 * @throws {ServiceError} `invalid_request`, `model_not_found`, `context_overflow`
 */
export async function admitChat(body: ChatBody, admission: ChatAdmission): Promise<GenerationRequest> {
  const { card, text, callerSalt, signal } = admission
  if (body.model === null) throw new ServiceError('invalid_request', 'you must provide a model parameter')
  assertServed(card, body.model)
  assertSupported(body)
  assertInVocabulary('stop_token_ids', body.stop_token_ids, text.vocabularySize)
  const conversation = toConversation(body, text.facts.chat)

  const sampling = await admitSampling(body, admission)
  const { tokenIds } = await renderPrompt(conversation, text, signal === undefined ? {} : { signal })
  if (tokenIds.length === 0) throw invalid('messages', `Invalid 'messages': they come to no tokens. Expected at least one.`)
  return {
    ...PLAIN_REQUEST,
    id: admission.id,
    prompts: [{ tokenIds }],
    choicesPerPrompt: body.n,
    shownPerPrompt: body.n,
    maxNewTokens: maxNewTokens(body.max_completion_tokens ?? body.max_tokens, tokenIds.length, card.contextLength),
    sampling,
    stopStrings: body.stop,
    stopTokenIds: body.stop_token_ids ?? [],
    includeStop: body.include_stop_str_in_output,
    ignoreEos: body.ignore_eos,
    skipSpecialTokens: body.skip_special_tokens,
    topLogprobs: body.logprobs ? (body.top_logprobs ?? 0) : null,
    cacheSalt: body.cache_salt === null ? callerSalt : `${callerSalt}:${body.cache_salt}`,
    admittedAtMs: admission.admittedAtMs,
    ticket: { ...PLAIN_TICKET, owner: callerSalt, priority: body.priority }
  }
}

function assertSupported(body: ChatBody): void {
  if (body.stream_options !== null && !body.stream) {
    throw invalid('stream_options', `Stream options can only be defined when 'stream' is true, but got 'stream' false.`)
  }
  if (body.top_logprobs !== null && !body.logprobs) {
    throw invalid('top_logprobs', `Invalid 'top_logprobs': they are part of 'logprobs'. Expected 'logprobs' true, but got false instead.`)
  }
  if (body.response_format !== null && body.response_format.type !== 'text') {
    throw invalid('response_format', `Invalid 'response_format.type': not supported here. Expected 'text'.`)
  }
}

/** What the client asked for, else all that the context has left. */
function maxNewTokens(asked: number | null, promptTokens: number, contextLength: number): number {
  const room = contextLength - promptTokens
  if (asked === null && room > 0) return room
  if (asked !== null && asked <= room) return asked
  const completionTokens = asked ?? 1
  throw new ServiceError(
    'context_overflow',
    `This model's maximum context length is ${contextLength} tokens. However, you requested ${promptTokens + completionTokens} tokens ` +
      `(${promptTokens} in the messages, ${completionTokens} in the completion). Please reduce the length of the messages or completion.`,
    { param: 'messages' }
  )
}

function invalid(param: string, message: string): ServiceError {
  return new ServiceError('invalid_request', message, { param })
}
