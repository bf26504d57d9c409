import type { TextPort } from '../../inference/contract/text-port.ts'
import type { ModelCard } from '../models/model-card.ts'
import { newId, newSeed } from '../wire/ids.ts'
import { ignoredFields, refuseIfStrict } from '../wire/ignored-params.ts'
import type { Opener } from '../wire/opener.ts'
import { parseWith } from '../wire/zod-validator.ts'
import { admit } from './admit.ts'
import { CompletionBody } from './body.ts'
import { completionDialect } from './dialect.ts'
import { toView } from './view.ts'

export interface CompletionParts {
  readonly text: TextPort
  readonly card: ModelCard
  readonly strictParams: boolean
}

/** Reads bodies of the completions API that come by a socket, where every answer is a stream. */
export function completionOpener({ text, card, strictParams }: CompletionParts): Opener {
  return async (raw, { owner, admittedAtMs }) => {
    const body = parseWith(CompletionBody, { ...raw, stream: true })
    const ignored = ignoredFields(body, CompletionBody.shape)
    refuseIfStrict(ignored, strictParams)
    const generation = await admit(body, { text, card, newSeed, id: newId('cmpl-'), admittedAtMs, callerSalt: owner })
    const presentation = { dialect: completionDialect.name, view: toView(body, generation, card) }
    return { generation, presentation, ignored, background: body.background }
  }
}
