import type { BodyReader } from '../wire/request/body-reader.ts'
import { admit } from './admit.ts'
import { CompletionBody } from './body.ts'
import { completionDialect } from './dialect.ts'
import { toView } from './view.ts'

/** Prompts in, texts out. */
export const completionReader: BodyReader<CompletionBody> = {
  path: '/v1/completions',
  schema: CompletionBody,
  idPrefix: 'cmpl-',
  async read(body, admission) {
    const generation = await admit(body, admission)
    return { generation, presentation: { dialect: completionDialect.name, view: toView(body, generation, admission.card) } }
  }
}
