import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import type { TextPort, TextWait } from '../../inference/contract/text-port.ts'
import { renderPrompt, toConversation, type Warn } from '../chat/conversation.ts'
import { assertServed, type ModelCard } from '../models/model-card.ts'
import { invalid } from '../wire/errors/service-errors.ts'
import { type ZodTypes, zodValidator } from '../wire/fields/zod-validator.ts'
import { assertInVocabulary } from '../wire/request/admit-sampling.ts'
import { clientGone } from '../wire/request/client-gone.ts'
import { reportIgnored, unknownParams } from '../wire/request/ignored-params.ts'
import { DetokenizeBody, TokenizeBody } from './body.ts'
import type { Detokenized, Tokenized, TokenizerInfo } from './schema.ts'

export interface TokenizeRouteOptions {
  readonly text: TextPort
  readonly card: ModelCard
  readonly strictParams: boolean
}

/** vLLM's POST /tokenize, POST /detokenize, and GET /tokenizer_info, which lm-evaluation-harness uses. */
export const tokenizeRoute: FastifyPluginAsync<TokenizeRouteOptions> = async (app, { text, card, strictParams }) => {
  function accept(reply: FastifyReply, body: { readonly model: string | null }, known: object): TextWait {
    reportIgnored(reply, unknownParams(body, known), strictParams)
    if (body.model !== null) assertServed(card, body.model)
    return { signal: clientGone(reply) }
  }

  app
    .withTypeProvider<ZodTypes>()
    .post(
      '/tokenize',
      { schema: { body: TokenizeBody }, validatorCompiler: zodValidator },
      async ({ body, log }, reply): Promise<Tokenized> => {
        const wait = accept(reply, body, TokenizeBody.shape)
        const tokens = await encode(body, text, message => log.warn(message), wait)
        return {
          tokens,
          count: tokens.length,
          max_model_len: card.contextLength,
          ...(body.return_token_strs && { token_strs: await text.labels(tokens, wait) })
        }
      }
    )

  app
    .withTypeProvider<ZodTypes>()
    .post(
      '/detokenize',
      { schema: { body: DetokenizeBody }, validatorCompiler: zodValidator },
      async ({ body }, reply): Promise<Detokenized> => {
        const wait = accept(reply, body, DetokenizeBody.shape)
        assertInVocabulary('tokens', body.tokens, text.vocabularySize)
        return { prompt: await text.decode(body.tokens, { ...wait, skipSpecialTokens: false }) }
      }
    )

  app.get(
    '/tokenizer_info',
    async (): Promise<TokenizerInfo> => ({
      tokenizer_class: 'everstream',
      bos_token: text.facts.startToken,
      eos_token: text.facts.endToken,
      pad_token: text.facts.padToken,
      chat_template: text.facts.chat?.template ?? null,
      vocab_size: text.vocabularySize,
      model_max_length: card.contextLength
    })
  )
}

async function encode(body: TokenizeBody, text: TextPort, warn: Warn, wait: TextWait): Promise<readonly number[]> {
  const { prompt, messages, add_special_tokens: addSpecialTokens } = body
  if ((prompt === null) === (messages === null)) {
    throw invalid('prompt', `Expected one of 'prompt' and 'messages', but got ${prompt === null ? 'neither' : 'both'}.`)
  }
  if (prompt !== null) return await text.encode(prompt, { ...wait, addSpecialTokens })
  const conversation = toConversation({ ...body, messages: messages ?? [] }, text.facts.chat, warn)
  if (addSpecialTokens) return (await renderPrompt(conversation, text, wait)).tokenIds
  return await text.encode(await text.renderChat(conversation, wait), { ...wait, addSpecialTokens })
}
